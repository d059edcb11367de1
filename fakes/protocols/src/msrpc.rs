//! MS-RPC.
/// x
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// x
    #[error("x")]
    Eof,
}
