// The types of browsers that the declarations of @peculiar/x509 name, which comes with @simplewebauthn/server. Node has
// them under names of its own; the DOM library, with all of a browser's globals, stays out of the server.
type Algorithm = import('node:crypto').webcrypto.Algorithm;
type AlgorithmIdentifier = import('node:crypto').webcrypto.AlgorithmIdentifier;
type BufferSource = import('node:crypto').webcrypto.BufferSource;
type Crypto = import('node:crypto').webcrypto.Crypto;
type CryptoKey = import('node:crypto').webcrypto.CryptoKey;
type CryptoKeyPair = import('node:crypto').webcrypto.CryptoKeyPair;
type EcKeyGenParams = import('node:crypto').webcrypto.EcKeyGenParams;
type EcKeyImportParams = import('node:crypto').webcrypto.EcKeyImportParams;
type EcdsaParams = import('node:crypto').webcrypto.EcdsaParams;
type KeyUsage = import('node:crypto').webcrypto.KeyUsage;
type RsaHashedImportParams = import('node:crypto').webcrypto.RsaHashedImportParams;
