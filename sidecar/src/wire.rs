//! The API's bodies: requests as the endpoint parses and a client writes them,
//! answers as the endpoint writes and a client parses them.

pub mod answer;
pub(crate) mod json;
pub mod request;
pub(crate) mod write;
