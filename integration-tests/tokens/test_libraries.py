"""Other people's libraries verify the service's tokens."""

import re
from collections.abc import Callable

import pytest
from conftest import ALGORITHMS, SECRET, Issued
from sidecar import PUBLIC_URL
from verifiers import Joserfc, NodeJose, PyJwt, PythonJose, Refused, Verifier

# What each library can verify. The crosses are tested too: a library that learns an algorithm fails
# test_a_library_without_the_algorithm_refuses, and this table and the README's advice can be changed.
#
#                          EdDSA  ES256  ES512  RS256  PS256  HS256
#   PyJWT 2.15.1             x      x      x      x      x      x
#   joserfc 1.8.0            x      x      x      x      x      x
#   python-jose 3.5.0        -      x      x      x      -      x
#   jose (npm) 6.2.17        x      x      x      x      x      x
SUPPORT = {
    "PyJWT": [*ALGORITHMS, "HS256"],
    "joserfc": [*ALGORITHMS, "HS256"],
    "python-jose": ["ES256", "ES512", "RS256", "HS256"],
    "jose": [*ALGORITHMS, "HS256"],
}
PAIRS = [(alg, name) for alg in [*ALGORITHMS, "HS256"] for name in SUPPORT if alg in SUPPORT[name]]

# A token must be refused for the reason that it was made for, and not because the test is wrong.
SIGNATURE = {
    "PyJWT": "InvalidSignatureError",
    "joserfc": "BadSignatureError",
    "python-jose": "JWTError: Signature verification failed.",
    "jose": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
}
ALGORITHM = {
    "PyJWT": "InvalidAlgorithmError",
    "joserfc": "UnsupportedAlgorithmError",
    "python-jose": "JWTError: The specified alg value is not allowed",
    "jose": "ERR_JOSE_ALG_NOT_ALLOWED",
}
REASONS = {
    "wrong audience": {
        "PyJWT": "InvalidAudienceError",
        "joserfc": "InvalidClaimError aud",
        "python-jose": "JWTClaimsError: Invalid audience",
        "jose": "ERR_JWT_CLAIM_VALIDATION_FAILED aud",
    },
    "wrong issuer": {
        "PyJWT": "InvalidIssuerError",
        "joserfc": "InvalidClaimError iss",
        "python-jose": "JWTClaimsError: Invalid issuer",
        "jose": "ERR_JWT_CLAIM_VALIDATION_FAILED iss",
    },
    "expired": {
        "PyJWT": "ExpiredSignatureError",
        "joserfc": "ExpiredTokenError exp",
        "python-jose": "ExpiredSignatureError: Signature has expired.",
        "jose": "ERR_JWT_EXPIRED exp",
    },
    "unknown kid": {
        "PyJWT": "NoKey",
        "joserfc": "InvalidKeyIdError",
        "python-jose": "NoKey",
        "jose": "ERR_JWKS_NO_MATCHING_KEY",
    },
    "other claims": SIGNATURE,
    "wrong key": SIGNATURE,
    "none": ALGORITHM,
    "HS256 with the public key": ALGORITHM,
}
ONLY_WITH_KEYS = ("unknown kid", "HS256 with the public key")


@pytest.fixture(scope="session")
def library(node: NodeJose) -> dict[str, Verifier]:
    return {"PyJWT": PyJwt(), "joserfc": Joserfc(), "python-jose": PythonJose(), "jose": node}


def keys_for(alg: str, issued: Issued) -> list[dict[str, str]] | str:
    return SECRET if alg == "HS256" else issued.keys


@pytest.mark.parametrize(("alg", "name"), PAIRS)
def test_a_token_is_accepted(
    alg: str, name: str, library: dict[str, Verifier], issued: Callable[[str], Issued]
) -> None:
    by = issued(alg)
    claims = library[name].verify(by.good, keys_for(alg, by), alg)
    assert (claims["sub"], claims["id"], claims["email"]) == (by.user.id, by.user.id, by.user.email)
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == (PUBLIC_URL, PUBLIC_URL, 900)
    assert (claims["software_background"], claims["hardware_background"]) == ("ten years of C", "Lötkolben 🔥")


@pytest.mark.parametrize("case", REASONS)
@pytest.mark.parametrize(("alg", "name"), PAIRS)
def test_a_bad_token_is_refused(
    alg: str, name: str, case: str, library: dict[str, Verifier], issued: Callable[[str], Issued]
) -> None:
    by = issued(alg)
    assert (case in by.bad) == (alg != "HS256" or case not in ONLY_WITH_KEYS)
    for token in by.bad.get(case, []):
        with pytest.raises(Refused, match=f"^{re.escape(REASONS[case][name])}$"):
            library[name].verify(token, keys_for(alg, by), alg)


@pytest.mark.parametrize("alg", ["EdDSA", "PS256"])
def test_a_library_without_the_algorithm_refuses(
    alg: str, library: dict[str, Verifier], issued: Callable[[str], Issued]
) -> None:
    assert [name for name in SUPPORT if alg not in SUPPORT[name]] == ["python-jose"]
    with pytest.raises(Refused, match=r"^JWKError: Unable to find an algorithm for key$"):
        library["python-jose"].verify(issued(alg).good, issued(alg).keys, alg)


@pytest.mark.parametrize("name", SUPPORT)
def test_a_key_is_good_for_its_algorithm_alone(
    name: str, library: dict[str, Verifier], issued: Callable[[str], Issued]
) -> None:
    """Whoever allows one algorithm is not given tokens of another."""
    with pytest.raises(Refused, match=f"^{re.escape(ALGORITHM[name])}$"):
        library[name].verify(issued("RS256").good, issued("RS256").keys, "ES256")
