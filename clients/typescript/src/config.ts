/**
 * `StoreConfig`: where a store is and which credential opens it, from the variables of the Python adapter.
 *
 * The rule of the endpoint: if `S3_ENDPOINT` is set, that server is used and nothing else. If it is not set, AWS is used.
 * An empty `S3_ENDPOINT` is an error and does not mean AWS. No profile, shared file or instance role is read.
 * `docs/adapter.md` has the table of the variables.
 */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

import { checkedEndpoint, endpointOf, type Environment } from "./endpoint.js";
import { ConfigurationError } from "./errors.js";
import { proxyOf, type Proxy } from "./proxies.js";

/** An S3 server and a credential for it. */
export interface StoreConfig {
  /** `https://host[:port]`; undefined is AWS itself. */
  readonly endpoint: string | undefined;
  /** The URL for which presigned URLs are made; undefined is the endpoint itself. */
  readonly clientEndpoint: string | undefined;
  /** Whether the bucket is in the path on AWS too; on other servers it always is. */
  readonly pathStyle: boolean;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  /** PEM text of the CA certificates that may have signed the server's certificate. */
  readonly ca: string | undefined;
  /** Buckets whose server refuses a put over an object; every upload there is `ifAbsent`. */
  readonly writeOnce: ReadonlySet<string>;
  /** Whether a body that no digest of the server's proves is an error. */
  readonly onlyVerified: boolean;
  readonly proxy: Proxy | undefined;
}

const AWS_REGION = /^[a-z]{2}(-[a-z]+)+-[0-9]+$/;
const REGION = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const WORD = /^[\x21-\x7e]+$/;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
const VENDOR_DEFAULT = "minioadmin";

/** Read the variables, by default those of the process. Throws ConfigurationError: one is missing or cannot work. */
export function configFromEnvironment(env: Environment = process.env): StoreConfig {
  let endpoint = endpointOf(env);
  const pathStyle = pathStyleOf(env, endpoint !== undefined);
  let variable = "S3_ENDPOINT";
  let ca = env["S3_CA_BUNDLE"];
  if (endpoint === undefined) {
    ca ??= env["AWS_CA_BUNDLE"] || undefined;
    if ((env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] ?? "").toLowerCase() !== "true") {
      variable = env["AWS_ENDPOINT_URL_S3"] ? "AWS_ENDPOINT_URL_S3" : "AWS_ENDPOINT_URL";
      endpoint = env[variable] || undefined;
    }
  }
  const checked = endpoint === undefined ? undefined : checkedEndpoint(endpoint, variable);
  const clientEndpoint = env["S3_CLIENT_ENDPOINT"];
  const region = required(env, "AWS_REGION", "export AWS_REGION=us-west-2");
  checkRegion(region, checked === undefined);
  const accessKeyId = credential(env, "AWS_ACCESS_KEY_ID");
  const secretAccessKey = credential(env, "AWS_SECRET_ACCESS_KEY");
  if (accessKeyId === VENDOR_DEFAULT && secretAccessKey === VENDOR_DEFAULT) {
    throw new ConfigurationError(
      `AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are the vendor's default pair (${VENDOR_DEFAULT}), which everyone ` +
        "knows; legal: a credential that the deployment published",
    );
  }
  return {
    endpoint: checked,
    clientEndpoint: clientEndpoint === undefined ? undefined : checkedEndpoint(clientEndpoint, "S3_CLIENT_ENDPOINT"),
    pathStyle,
    region,
    accessKeyId,
    secretAccessKey,
    sessionToken: env["AWS_SESSION_TOKEN"] ? credential(env, "AWS_SESSION_TOKEN") : undefined,
    ca: ca === undefined || checked?.startsWith("http://") ? undefined : readCa(ca),
    writeOnce: buckets(env["S3_WRITE_ONCE"] ?? ""),
    onlyVerified: isTrue(env, "S3_ONLY_VERIFIED"),
    proxy: proxyOf(checked ?? awsEndpoint(region), env),
  };
}

/** The values that no message may hold. */
export function secretsOf(config: StoreConfig): string[] {
  return [config.secretAccessKey, config.sessionToken, ...(config.proxy?.secrets ?? [])].filter(
    (one): one is string => one !== undefined && one !== "",
  );
}

/** URL of AWS S3 in a region. */
export function awsEndpoint(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

function pathStyleOf(env: Environment, hasEndpoint: boolean): boolean {
  const name = "AWS_S3_FORCE_PATH_STYLE";
  const inPath = isTrue(env, name);
  if (hasEndpoint && !inPath && (env[name] ?? "").trim() !== "") {
    throw new ConfigurationError(
      `${name} is false, but with an endpoint set the bucket is always in the path; legal: true, or not set: unset ${name}`,
    );
  }
  return inPath;
}

function isTrue(env: Environment, variable: string): boolean {
  const value = (env[variable] ?? "").trim().toLowerCase();
  if (!["", "true", "1", "false", "0"].includes(value)) {
    throw new ConfigurationError(
      `${variable} ${JSON.stringify(value)} is neither true nor false; legal: true, false: export ${variable}=true`,
    );
  }
  return value === "true" || value === "1";
}

function buckets(listed: string): ReadonlySet<string> {
  const names = listed === "" ? [] : listed.split(",");
  if (!names.every((name) => BUCKET.test(name))) {
    throw new ConfigurationError(
      `S3_WRITE_ONCE ${JSON.stringify(listed)} is not a list of buckets; legal: names of buckets with a comma between ` +
        "them: export S3_WRITE_ONCE=joelclaw-prod-usw2-media-raw,joelclaw-prod-usw2-docs-raw",
    );
  }
  return new Set(names);
}

function checkRegion(region: string, onAws: boolean): void {
  if (!(onAws ? AWS_REGION : REGION).test(region)) {
    const legal = onAws
      ? "an AWS region, since S3_ENDPOINT is not set (or set S3_ENDPOINT, if this is not meant for AWS)"
      : "letters, digits and '-', as the server is configured";
    throw new ConfigurationError(
      `AWS_REGION ${JSON.stringify(region)} is not a region; legal: ${legal}: export AWS_REGION=us-west-2`,
    );
  }
}

function credential(env: Environment, variable: string): string {
  const value = required(env, variable, `export ${variable}=…`);
  if (!WORD.test(value)) {
    const fault = value === "" ? "is empty" : "holds white space or a character that is not printable ASCII";
    throw new ConfigurationError(
      `${variable} ${fault}; legal: exactly the value that the deployment published: export ${variable}=…`,
    );
  }
  return value;
}

function required(env: Environment, variable: string, line: string): string {
  const value = env[variable];
  if (value === undefined) throw new ConfigurationError(`${variable} is not set: ${line}`);
  return value;
}

function readCa(bundle: string): string {
  const legal =
    "legal: the path of a PEM file with one or more CA certificates, or the PEM text itself: " +
    "export S3_CA_BUNDLE=/path/to/ca.pem";
  let pem = bundle;
  let where = "the given text";
  if (!bundle.includes("-----BEGIN CERTIFICATE-----")) {
    where = JSON.stringify(bundle);
    try {
      pem = readFileSync(bundle, "utf8");
    } catch (fault) {
      const code = (fault as NodeJS.ErrnoException).code ?? "it is not text";
      throw new ConfigurationError(`S3_CA_BUNDLE (or AWS_CA_BUNDLE): ${where} cannot be read: ${code}; ${legal}`);
    }
  }
  const found = pem.match(CERTIFICATE) ?? [];
  try {
    for (const one of found) new X509Certificate(one);
  } catch {
    found.length = 0;
  }
  if (found.length === 0) {
    throw new ConfigurationError(`S3_CA_BUNDLE (or AWS_CA_BUNDLE): ${where} holds no certificate; ${legal}`);
  }
  return found.join("\n");
}
