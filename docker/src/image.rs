//! The image: the static binary, and nothing else.

use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use testcontainers::bollard::body_full;
use testcontainers::bollard::query_parameters::{
    BuildImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions,
};
use tokio_stream::StreamExt;

use crate::clock;
use crate::engine::{Engine, HostError, refused};

/// What it is made by.
const DOCKERFILE: &str = include_str!("../server.Dockerfile");
/// What marks images of ours.
const IMAGE: &str = "coexist.image";

impl Engine {
    /// The image of this binary, made where it is not there yet: its tag is its digest. Older ones that nobody uses go.
    ///
    /// # Errors
    /// A binary that cannot be read, an engine that cannot build: a full disk, mostly.
    pub(crate) async fn image(&self, binary: &Path) -> Result<String, HostError> {
        let file = |error| HostError::File { path: PathBuf::from(binary), error };
        let bytes = tokio::fs::read(binary).await.map_err(file)?;
        // Some tens of megabytes: other work goes on beside.
        let digested = tokio::task::spawn_blocking(move || (tag(&bytes), bytes)).await;
        let (tag, bytes) = digested.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if self.0.inspect_image(&tag).await.is_ok() {
            return Ok(tag);
        }
        let context = context(&bytes).await.map_err(file)?;
        let options = BuildImageOptionsBuilder::new().dockerfile("Dockerfile").t(&tag).rm(true).forcerm(true);
        let mut building =
            std::pin::pin!(self.0.build_image(options.build(), None, Some(body_full(context.into()))));
        while let Some(step) = building.next().await {
            step.map_err(|error| refused("build the image of the servers", error))?;
        }
        self.forget_older(&tag).await;
        Ok(tag)
    }

    /// What cannot be removed is used, or is for the next one to try.
    async fn forget_older(&self, tag: &str) {
        let options = ListImagesOptionsBuilder::new().filters(&[("label", vec![IMAGE])].into()).build();
        let Ok(images) = self.0.list_images(Some(options)).await else { return };
        let young = clock::now().saturating_sub(clock::SURELY_UNUSED.as_secs());
        for image in images {
            let old = u64::try_from(image.created).is_ok_and(|created| created < young);
            if old && !image.repo_tags.iter().any(|known| known == tag) {
                drop(self.0.remove_image(&image.id, None::<RemoveImageOptions>, None).await);
            }
        }
    }
}

/// The image of a binary: by the first half of its SHA-256, which `ring` takes faster than it is read.
fn tag(binary: &[u8]) -> String {
    let digest = digest(&SHA256, binary);
    let half = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}"));
    format!("coexist-server:{}", half.collect::<String>())
}

/// The build's context: the binary and the Dockerfile.
async fn context(binary: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut archive = tokio_tar::Builder::new(Vec::with_capacity(binary.len() + 4096));
    for (name, mode, content) in [("Dockerfile", 0o644, DOCKERFILE.as_bytes()), ("coexist", 0o755, binary)] {
        let mut header = tokio_tar::Header::new_ustar();
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, content).await?;
    }
    archive.into_inner().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first example of FIPS 180-4's SHA-256.
    #[test]
    fn another_binary_is_another_image() {
        assert_eq!(tag(b"abc"), "coexist-server:ba7816bf8f01cfea414140de5dae2223");
    }
}
