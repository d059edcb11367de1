//! Exchange servers that serve, pass on and record, faithful per version
