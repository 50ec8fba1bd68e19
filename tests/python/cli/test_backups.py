"""A cloud that came back from a backup: who is refused, and how each goes on, by commands."""

import pytest
from cli.test_commands import HOSPITAL, QUERY, Scene

IMAGE = "attach", "1", "chest.jpg", "--keyword", "x-ray"


@pytest.fixture
def restored(tmp_path):
    """Return a scene whose cloud lacks the last upload, attachment and seal of a provider."""
    scene = Scene(tmp_path)
    scene.begin()
    cloud = scene.folder / "phr.duckdb"
    for name in ("hospital", "clinic"):
        scene.encrypt(name)
        scene.party(name, "seal")
    backup = cloud.read_bytes()
    (scene.folder / "hospital.csv").write_text("record_id,age,sbp,name\n5,44,170,Gil\n")
    scene.encrypt("hospital")
    scene.party("hospital", *IMAGE)
    scene.party("hospital", "seal")
    assert ("hospital", 5) in scene.ids("owner", QUERY, "--proof")
    cloud.write_bytes(backup)
    return scene


def test_a_cloud_that_came_back_from_a_backup_goes_on_by_commands(restored):
    scene = restored
    # What is gone is noticed by whoever saw it, and nothing is sealed over it.
    assert "not proven" in scene.party("owner", "ask", QUERY, "--proof", expect=1).stderr
    scene.party("hospital", "seal", expect=1)
    refused = scene.party("hospital", "seal", "--from-cloud", expect=1)
    assert "`mopse owner remove`" in refused.stderr

    said = scene.owner("remove", "hospital").stdout
    assert said == "hospital: 4 records removed, and all files and seals that it sent.\n"
    assert scene.ids("owner", "age >= 0") == [("clinic", 1), ("clinic", 9)]
    (scene.folder / "hospital.csv").write_text(f"{HOSPITAL}5,44,170,Gil\n")
    assert scene.encrypt("hospital").stdout == "hospital: 5 records added.\n"
    scene.party("hospital", *IMAGE)
    said = scene.party("hospital", "seal", "--from-cloud").stdout
    assert said == "hospital: sealed, number 3.\n"  # after the one that people saw

    hospital = [("hospital", number) for number in (1, 4, 5)]
    assert scene.ids("owner", QUERY, "--proof") == [("clinic", 1), *hospital]
    [file] = scene.found("owner", "find", "x-ray", "--proof")["files"]
    scene.party("owner", "fetch", file["file"], "--proof", "--out", "copy.jpg")
    assert (scene.folder / "copy.jpg").read_bytes() == b"\xff\xd8 an image"
    # From here on nothing is special.
    assert scene.encrypt("hospital", "--update").stdout == "hospital: 5 records replaced.\n"
    assert scene.party("hospital", "seal").stdout == "hospital: sealed, number 4.\n"
    assert scene.ids("owner", QUERY, "--proof") == [("clinic", 1), *hospital]


def test_removal_is_of_one_provider_and_may_be_given_again(restored):
    scene = restored
    scene.owner("remove", "hospital")
    again = scene.owner("remove", "hospital", "--json")
    assert '"removed": 0' in again.stdout
    assert scene.ids("owner", "age >= 0") == [("clinic", 1), ("clinic", 9)]
    assert '"nobody"' in scene.owner("remove", "nobody", expect=1).stderr
    keyring = "--keyring", "owner.keyring"
    refused = scene.run("owner", "remove", "hospital", *keyring, expect=2)
    assert "--cloud" in refused.stderr
    assert "hospital" in scene.found("owner", "status")["providers"]  # it stays authorised
