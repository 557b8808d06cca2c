"""JSON Web Tokens for tests: a key that guards nothing, its public half, and signatures with it."""

import base64
import hashlib
import json

N = int(
    "a22ed1b82d48faf04e080db42a9150fd40558f42e46b41054d977a442e047f86e29232d9bfd0499e7a53ac5a"
    "236767c9ad6b7683c4704ef1ec64b8f074c616503d164c0bbacfa68c4131cbf4ce7ffc773ad4827327940a6f"
    "6f7b4877aa01c29c09b7e56fbd910685e3aa34b28639da94afa5be6cdd4db654c7cf9ec9e3a249e586a13da6"
    "70dc65d6ab6bfd78a68ce8439c5d89246d7129644c1a3301b388db6603948a623b97326f1dc91bfa4c017d96"
    "efe5991712da9f54b9556f25317309e82c9033799fe0bc25198a4001274fda5ae3142e09d92b5e4ae1024b5c"
    "3ffba169d700bc4bd8b1226c9ed0284487633ae82cc7b785a788ee5c1d4775bc376e5ec7", 16)
D = int(
    "3e35c756e672aab9a80a342225273df1bc23c04d8b0b63bd8258807076abb309d7b9a2027483e8e3fea2e9e7"
    "097d8e0a30edefb54b91e8e0fe29af3c4d0ea405d33e224812e30ea2436a5e8460fc26fe1fcadedf07bccee3"
    "ea82024ccf21830cbce2eaac9a026f30c720c565fffc0bceccdc142c9e16ee6c46d8bfb2a1668c56aa42e55b"
    "07d4a73ffb378fd0217b58c842aeb26911ff420e50d18df68764bfc12468af7268bbf59a1161284267ae60ae"
    "b4779a9f622a5e0febe4cfa9df7b230909ac2361786133389e38bea0898327cce1ada53e32f03ab6ae3c62b2"
    "e29070413ddc6872959d86f4d6ba7c9ea1363dfe4c42e0cea3209ba127161132312e471", 16)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwks(kid="k1"):
    number = lambda x: b64(x.to_bytes((x.bit_length() + 7) // 8, "big"))
    return {"keys": [{"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
                      "n": number(N), "e": number(65537)}]}


def token(claims, kid="k1", alg="RS256"):
    head = b64(json.dumps({"alg": alg, "kid": kid, "typ": "JWT"}).encode())
    message = f"{head}.{b64(json.dumps(claims).encode())}"
    digest = hashlib.sha256(message.encode()).digest()
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    size = (N.bit_length() + 7) // 8
    padded = b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
    signature = pow(int.from_bytes(padded, "big"), D, N).to_bytes(size, "big")
    return f"{message}.{b64(signature)}"
