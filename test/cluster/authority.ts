// The certificate library resolves its parts through the Reflect metadata API.
import "reflect-metadata";
import { KeyObject, randomBytes, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  cryptoProvider,
} from "@peculiar/x509";
import type { JsonGeneralName } from "@peculiar/x509";

/** A certificate and its private key, PEM. */
export type Credentials = { certificate: string; key: string };

export type Authority = Credentials & {
  /** A client certificate: Kubernetes reads the user from the common name and the groups from the organisations. */
  client(user: string, groups?: string[]): Promise<Credentials>;
  /** A serving certificate for DNS names and IP addresses. */
  server(names: JsonGeneralName[]): Promise<Credentials>;
};

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const day = 86_400_000;

/** A certificate authority that lives in memory, for a cluster that lives for hours. */
export async function certificateAuthority(name: string): Promise<Authority> {
  cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: new Name([{ CN: [name] }]),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const issue = async (
    subject: Name,
    usage: ExtendedKeyUsage,
    names: JsonGeneralName[],
  ): Promise<Credentials> => {
    const own = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const issued = await X509CertificateGenerator.create({
      ...validity(),
      subject: subject.toString(),
      issuer: certificate.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([usage]),
        ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
      ],
    });
    return { certificate: issued.toString("pem"), key: pem(own.privateKey) };
  };
  return {
    certificate: certificate.toString("pem"),
    key: pem(keys.privateKey),
    client: (user, groups = []) =>
      issue(
        new Name([...groups.map((group) => ({ O: [group] })), { CN: [user] }]),
        ExtendedKeyUsage.clientAuth,
        [],
      ),
    server: (names) => issue(new Name([{ CN: ["server"] }]), ExtendedKeyUsage.serverAuth, names),
  };
}

function pem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();
}

function validity(): { serialNumber: string; notBefore: Date; notAfter: Date } {
  // A clock a little behind another's must not refuse a fresh certificate.
  const now = Date.now();
  return {
    serialNumber: `01${randomBytes(8).toString("hex")}`,
    notBefore: new Date(now - day),
    notAfter: new Date(now + 3650 * day),
  };
}
