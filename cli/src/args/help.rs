//! The long texts of `--help` and of the man pages.

/// The program.
pub(super) const SEALWARD: &str = "\
    Encrypt small data and files under customer master keys (CMKs).\n\n\
    Start with a CMK YAML file and `sealward dev key.yaml`; in another terminal, `sealward encrypt` and \
    `sealward file encrypt` then work without any flag.";

/// `sealward dev`.
pub(super) const DEV: &str = "\
    Serve CMKs from YAML files on this machine, without a cluster.\n\n\
    Listens on loopback addresses only. Prints the endpoint, the token file and the key ids once the \
    endpoint answers. Reads the YAML again whenever it changes: a wrong file is reported and the last \
    good one stays in force. A CMK whose YAML goes away is kept; only `sealward delete` deletes. Stops \
    on SIGTERM and SIGINT.\n\n\
    The root key is kept in the data folder beside the keys that it seals: who can read the folder can \
    read everything.";

/// `sealward encrypt`.
pub(super) const ENCRYPT: &str = "\
    Encrypt up to 4096 bytes of UTF-8 text and print the ciphertext as one line of base64.\n\n\
    The text is taken byte for byte, so `echo x | sealward encrypt` includes the newline: use `printf \
    %s`. A secret given as the DATA argument can be seen by every user of the machine in `ps`, and stays \
    in the shell's history: prefer standard input or --in. Bytes that are not UTF-8, and anything \
    longer, go through `sealward file encrypt`.";

/// `sealward decrypt`.
pub(super) const DECRYPT: &str = "\
    Decrypt what `sealward encrypt` made, and write exactly the plaintext bytes to standard output.\n\n\
    A newline is added only if standard output is a terminal. With -o json the plaintext is base64 in \
    `plaintextBase64`. The ciphertext names its CMK; the context must be the one it was encrypted with.";

/// `sealward file encrypt`.
pub(super) const FILE_ENCRYPT: &str = "\
    Encrypt a file of any size under a fresh data encryption key (DEK).\n\n\
    OUT becomes an enveloped file: it carries its DEK, encrypted under the CMK. It appears under its \
    name only when it is complete and on disk; an existing file is not replaced unless --force is given.";

/// `sealward file decrypt`.
pub(super) const FILE_DECRYPT: &str = "\
    Decrypt an enveloped file.\n\n\
    OUT appears under its name, with mode 0600, only when every byte was found authentic. With `-` as \
    OUT, chunks are written as they are found authentic; if the end is missing or damaged the status is \
    5, and what was written must be thrown away.";

/// `sealward delete`.
pub(super) const DELETE: &str = "\
    Schedule the deletion of a CMK of local mode.\n\n\
    From then on its use is refused. Its key material is destroyed after the waiting time; until then \
    `sealward restore` brings it back. Works whether or not `sealward dev` is running on the data \
    folder.";

/// `sealward completions`.
pub(super) const COMPLETIONS: &str = "\
    Print a shell completion script.\n\n\
    For instance: sealward completions bash > ~/.local/share/bash-completion/completions/sealward";
