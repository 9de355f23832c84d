//! An HTTPS server whose private key is deployed as ciphertext only
