//! What Sealward's servers share: shutdown, readiness, admin server, telemetry
