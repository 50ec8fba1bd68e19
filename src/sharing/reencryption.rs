//! Proxy re-encryption: a server turns what an owner encrypted into what one user opens.
//!
//! | form | who holds keys | for what |
//! | --- | --- | --- |
//! | [`published`] | the server, all of them | to evaluate: it falls to its own [`attacks`](published::attacks) |

pub mod published;
