//! Who arrived where, asked by whom; the one dial of fakes and clients
