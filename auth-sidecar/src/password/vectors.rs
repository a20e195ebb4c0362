//! Hashes made by the programs whose users may be imported, and those of the contract. All are of one row's password,
//! salted at random, with costs low enough for tests.

/// A stored hash with the password it is of.
pub(super) struct Vector {
    /// The library that made it, with its version.
    pub made_by: &'static str,
    pub password: &'static str,
    pub stored: &'static str,
    /// Whether a policy of bcrypt with cost 4 replaces it.
    pub rehash: bool,
}

const HORSE: &str = "correct horse battery";
/// `pässwörd` as a keyboard with dead keys may send it; NFKC composes it.
pub(super) const DECOMPOSED: &str = "pa\u{308}sswo\u{308}rd";
pub(super) const DIGITS_90: &str =
    "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
const DIGITS_72: &str = "012345678901234567890123456789012345678901234567890123456789012345678901";

/// passlib's `bcrypt` of [`DIGITS_90`]: it covers 72 of the 90 bytes.
pub(super) const CUT: &str = "$2b$04$hL4rG3vcuI68HUFRAhrFGuuGnBCu.lUN9mK/sqtAKEb6GhiSU.hPK";

/// passlib's `bcrypt_sha256` of [`DIGITS_90`] with cost 4.
pub(super) const LONG: &str = "$bcrypt-sha256$v=2,t=2b,r=4$xRiOZCMdDDFRtSWVNx/BpO$KUe1gk/cSPbqRHnzdv0h11cVgnG1jUa";

/// argon2-cffi's hash with the parameters of our own.
pub(super) const OWASP: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$DcsGRkCU5Tbqht5srhwsiQ$ohwd+/Y5sK54IcddkcEOSA7B5LbZCf5hudd/ZMETQy4";

/// The contract's table: what better-auth 1.7.25 stores for a password, and the salt it was given.
pub(super) const BETTER_AUTH: &[(&str, [u8; 16], &str)] = &[
    (
        "correct horse battery",
        [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff],
        "00112233445566778899aabbccddeeff:267a33c2ae63f1c2d542f84d50b7d87c68900c8b9475f6a47ade71cf44b234822e0a34af1d226572b5caf52809319d4c486f3d209cc2fd022fb53bb4eaeb35b1",
    ),
    (
        "p\u{e4}ssw\u{f6}rd\u{1d4b3}",
        [0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00],
        "ffeeddccbbaa99887766554433221100:a27197fcbcb95c5e9e2f25d55822b8f28bfeec05f016fff6750031ccc361be18a9e8e2b7ca5ba734837160f44605fbfd4857d8a130379fe17df9d967da6e5d93",
    ),
    (
        "\u{212b}",
        [0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x00],
        "0f0e0d0c0b0a09080706050403020100:8950d3ae251346817815865bd7c702c9bc0f0bbe4b1af596b657dd8f3efc9d3c075ee2497d40bb2f34df36e69b5dfc8ab40b335f4707aaec1971667241120491",
    ),
];

/// What Python made.
pub(super) const PYTHON: &[Vector] = &[
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt",
        password: HORSE,
        stored: "$2b$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
        rehash: false,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt",
        password: HORSE,
        stored: "$2a$05$HD7arYwUDTB3ToG4GM/0veHKYSUq01iARnYD/RESzATATnw01bFvy",
        rehash: false,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt",
        password: HORSE,
        stored: "$2y$06$Un5y7qjzA/ClyPwWXNVrou8TPh8p3ZHGrFS68wN/G4jtC0Uq9pD8O",
        rehash: false,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt",
        password: HORSE,
        stored: "$2b$10$7JsL2Z5BF7Jwc/.GXL9cQunReUSP4V4iB93f7a/NnVQ0jxQnU225u",
        rehash: false,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt",
        password: "p\u{e4}ssw\u{f6}rd",
        stored: "$2b$04$RnBOh8vEldElrSD.BUOCNuzKbsQmq4hXv0g.n6NsfDAk5bqh9Bhey",
        rehash: false,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt",
        password: DECOMPOSED,
        stored: "$2b$04$6rqRifE1HERi.5Pc5VYb7u3OMSnMzVSfVOjgFKC5P2xslVDH8..5y",
        rehash: true,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt",
        password: "\u{fb01}anc\u{e9}e 1",
        stored: "$2b$04$weiqlFpEiG4BcLx/TDsk.eI5/OpKFCFInN3sQY.1x5NPk5nLkDJkC",
        rehash: true,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt",
        password: DIGITS_72,
        stored: "$2b$04$wlRK4qjVy6lfrp3pvffRMenot9zhRZffkLcuUTT7KGb9s9ScMtkRO",
        rehash: true,
    },
    Vector { made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt", password: DIGITS_90, stored: CUT, rehash: true },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt_sha256",
        password: HORSE,
        stored: "$bcrypt-sha256$2a,4$QGExl6aQ1iGtCgjsVYUdq.$vN.7bfg5t5PbN273MpXRoz5KKGJn.SW",
        rehash: true,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt_sha256",
        password: HORSE,
        stored: "$bcrypt-sha256$2b,5$Hy1rMKV.49nnxbdrDZPWCO$/XuQtMtttvbaQPq5oSoHxb50Y47tAR6",
        rehash: true,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt_sha256",
        password: HORSE,
        stored: "$bcrypt-sha256$v=2,t=2b,r=4$akeib9OXqtxvVS9XjyvOXe$Vc8DShmJ9.yJcg6x/BCGGiCovFTfQWq",
        rehash: false,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt_sha256",
        password: HORSE,
        stored: "$bcrypt-sha256$v=2,t=2b,r=10$q37VMiJsU0TPD3vShFuwie$QnadifE7o8OE/4ZQlrWS0l2Jtu8h92u",
        rehash: false,
    },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt_sha256",
        password: DIGITS_90,
        stored: "$bcrypt-sha256$2b,4$c4puxlBYoOrRCzfRehX5xe$LmsNEjhlJjlJ65vItp.s9n0qryN4h4W",
        rehash: true,
    },
    Vector { made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt_sha256", password: DIGITS_90, stored: LONG, rehash: false },
    Vector {
        made_by: "passlib 1.7.4 (bcrypt 4.0.1) bcrypt_sha256",
        password: DECOMPOSED,
        stored: "$bcrypt-sha256$v=2,t=2b,r=4$KMlOEnEN16mNNtqlYShoQu$CnPAXgpjXbSkvEkb7hG/MS.zdmPGl/e",
        rehash: true,
    },
    Vector {
        made_by: "passlib 1.7.4 (argon2-cffi 25.1.0) argon2",
        password: HORSE,
        stored: "$argon2id$v=19$m=1024,t=2,p=2$KGVsba1VinFuDSGEsBZibA$xO4LaA1rZ1IflE412LFL+tNbKbJmVQ4u7Nv5jJD78VI",
        rehash: true,
    },
    Vector {
        made_by: "passlib 1.7.4 (argon2-cffi 25.1.0) argon2",
        password: HORSE,
        stored: "$argon2i$v=19$m=512,t=3,p=1$dm7NeU/JOcf4HyNkTKn1fg$NcRg0SOCO1VeXG9M4AD+U/utahajGX7DCXIOCoBP5RE",
        rehash: true,
    },
    Vector {
        made_by: "passlib 1.7.4 (argon2-cffi 25.1.0) argon2",
        password: DECOMPOSED,
        stored: "$argon2id$v=19$m=64,t=1,p=1$CiFkDOGcM+b8/x/j/F+rdQ$CMklPu1Pyyn+QvBzcWRqKz0og+padfFnYPETAAkpCCY",
        rehash: true,
    },
    Vector {
        made_by: "argon2-cffi 25.1.0 PasswordHasher",
        password: HORSE,
        stored: "$argon2id$v=19$m=65536,t=3,p=4$9gCHxEUa5rrXNuqB3qzBvQ$dMDT/TY0jtr9H+8i1HjnwjPoORxT7G4/Bu0ojsPuPUA",
        rehash: true,
    },
    Vector { made_by: "argon2-cffi 25.1.0 PasswordHasher", password: HORSE, stored: OWASP, rehash: true },
    Vector {
        made_by: "argon2-cffi 25.1.0 low_level.hash_secret, version 0x10",
        password: HORSE,
        stored: "$argon2id$v=16$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
        rehash: true,
    },
    Vector {
        made_by: "argon2-cffi 25.1.0 low_level.hash_secret, version 0x10, version left out as old libraries did (passlib 1.7.4 verifies it)",
        password: HORSE,
        stored: "$argon2id$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
        rehash: true,
    },
    Vector {
        made_by: "the same salt with unused bits set, as some old libraries wrote it (passlib 1.7.4 repairs and verifies it)",
        password: HORSE,
        stored: "$2b$04$abcdefghijklmnopqrstuvqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
        rehash: false,
    },
    Vector {
        made_by: "pwdlib 0.3.1 PasswordHash.recommended()",
        password: HORSE,
        stored: "$argon2id$v=19$m=65536,t=3,p=4$/3Hc9KLPa/Bzg7iD+8eXcg$6/AkgePOgb7Mfw1nfiFYnoM8XGE/XeXyP1zpog32JIU",
        rehash: true,
    },
    Vector {
        made_by: "pwdlib 0.3.1 (argon2-cffi 25.1.0) Argon2Hasher",
        password: HORSE,
        stored: "$argon2id$v=19$m=1024,t=2,p=4$2U/sVPKM20QOK0Q2+Hk9+A$c54tnBPZVR7a04jNDu0c7yU7IEyXH16dh+tiu94zio4",
        rehash: true,
    },
    Vector {
        made_by: "pwdlib 0.3.1 (bcrypt 5.0.0) BcryptHasher",
        password: HORSE,
        stored: "$2b$04$4cRT5xct0dixiBGCFMtBoOsF07TXni5pfWXE3zfHo4ZZybfDfsVM6",
        rehash: false,
    },
    Vector {
        made_by: "pwdlib 0.3.1 (bcrypt 5.0.0) BcryptHasher",
        password: HORSE,
        stored: "$2a$05$Umvqx6TrchvMjNldBIUMWOrZdU1WwaJMh2HsqC1jf8gUcfG04Hml6",
        rehash: false,
    },
    Vector {
        made_by: "pwdlib 0.3.1 (bcrypt 5.0.0) BcryptHasher",
        password: DECOMPOSED,
        stored: "$2b$04$24NEEPk0CPTVSX2mLEFzZu1jIzEg2iab2iHYCk68UcBtxoqc76eeG",
        rehash: true,
    },
];
