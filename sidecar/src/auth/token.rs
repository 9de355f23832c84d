//! The token that callers show, and the file they read it from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sealward_core::{RandomError, SecretBytes};
use sha2::Sha256;
use thiserror::Error;

use super::bad_credential;
use crate::error::ApiError;

/// Why the token could not be made or written.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The operating system gave no random bytes.
    #[error("cannot make the caller token")]
    Random(#[from] RandomError),
    /// The file could not be written.
    #[error(
        "cannot write the caller token to {path}; does its directory exist, and is it writable?"
    )]
    Write {
        /// Where it should be.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A random secret of one process: who shows it can read the token file.
#[derive(Debug)]
pub struct CallerToken {
    text: SecretBytes,
    /// HMAC-SHA256 keyed with the token, ready to take a string to sign.
    keyed: Hmac<Sha256>,
}

impl CallerToken {
    /// Draws a new token of 256 bits, in 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`TokenError::Random`].
    pub fn generate() -> Result<Self, TokenError> {
        let mut random = SecretBytes::zeroed(32);
        getrandom::fill(random.expose_mut()).map_err(|_| RandomError)?;
        let mut text = SecretBytes::zeroed(64);
        let digits = hex_simd::Out::from_slice(text.expose_mut());
        let _ = hex_simd::encode(random.expose(), digits, hex_simd::AsciiCase::Lower);
        Ok(Self::new(text))
    }

    /// The token with this text.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    pub fn new(text: SecretBytes) -> Self {
        let keyed = Hmac::new_from_slice(text.expose()).expect("HMAC takes keys of any length");
        Self { text, keyed }
    }

    /// Writes the token, without a line end, to a file of this mode, in one step:
    /// a reader sees the old content or the new one, never a part.
    ///
    /// # Errors
    /// [`TokenError::Write`].
    pub fn write_to(&self, path: &Path, mode: u32) -> Result<(), TokenError> {
        let failed = |source| TokenError::Write {
            path: path.to_owned(),
            source,
        };
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        // Left over from a process that was killed here.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            // Not through a link that somebody else put there.
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(failed)?;
        file.write_all(self.text.expose()).map_err(failed)?;
        // After the content, and regardless of the umask.
        file.set_permissions(fs::Permissions::from_mode(mode))
            .map_err(failed)?;
        fs::rename(&temporary, path).map_err(failed)
    }

    /// Checks a token that a caller shows, in a time that does not depend on where
    /// it differs.
    ///
    /// # Errors
    /// KMS.0302.
    pub(crate) fn check(&self, shown: &[u8]) -> Result<(), ApiError> {
        if self.text.ct_eq(shown) {
            Ok(())
        } else {
            Err(bad_credential())
        }
    }

    /// Checks a signature over `string_to_sign`, in constant time.
    ///
    /// # Errors
    /// KMS.0302.
    pub(crate) fn check_signature(
        &self,
        string_to_sign: &[u8],
        signature: &[u8; 32],
    ) -> Result<(), ApiError> {
        let mut mac = self.keyed.clone();
        mac.update(string_to_sign);
        mac.verify_slice(signature).map_err(|_| bad_credential())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_random_and_not_shown() {
        let (one, two) = (
            CallerToken::generate().unwrap(),
            CallerToken::generate().unwrap(),
        );
        assert!(!one.text.ct_eq(two.text.expose()));
        let digits = std::str::from_utf8(one.text.expose()).unwrap();
        assert_eq!(digits.len(), 64);
        assert!(!format!("{one:?}").contains(digits));
    }

    #[test]
    fn only_the_whole_token_is_right() {
        let token = CallerToken::new(SecretBytes::from_slice(b"secret"));
        token.check(b"secret").unwrap();
        for wrong in [&b""[..], b"s", b"secre", b"secret ", b"secret\n", b"Secret"] {
            assert_eq!(token.check(wrong), Err(bad_credential()));
        }
    }

    #[test]
    fn the_file_is_replaced_in_one_step_and_has_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "old").unwrap();
        fs::write(folder.path().join("token.new"), "half").unwrap();
        let token = CallerToken::generate().unwrap();
        token.write_to(&path, 0o444).unwrap();
        assert_eq!(fs::read(&path).unwrap(), token.text.expose());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o444
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn says_which_file_it_could_not_write() {
        let token = CallerToken::generate().unwrap();
        let error = token
            .write_to(Path::new("/nowhere/token"), 0o600)
            .unwrap_err();
        assert!(error.to_string().contains("/nowhere/token"), "{error}");
    }
}
