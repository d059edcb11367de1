//! What a server of each version says once it holds the request; it chooses no server
