//! The directory's door as its contract describes it, played by wiremock.
