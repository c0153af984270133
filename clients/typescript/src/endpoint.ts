/**
 * The URL of a server or a proxy, checked as the Python adapter checks it (`object_store/hosts.py`, `spellings.py`).
 *
 * The rule: the host is an address in its full form, or a name of letters, digits and '-'. If several variables name the
 * server, they must agree: no order of precedence decides which store receives data.
 */

import { isIP } from "node:net";

import { ConfigurationError } from "./errors.js";

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A URL in its parts. */
export interface Server {
  readonly scheme: "http" | "https";
  /** In lower case, without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Path, query and fragment. */
  readonly rest: string;
}

const SPELLINGS = ["S3_ENDPOINT", "S3_ENDPOINT_URL", "MINIO_ENDPOINT"] as const;
const PARTS = /^(https?):\/\/(?:([^/?#@]*)@)?(\[[0-9A-Fa-f:.]+\]|[^/?#@:[\]]*)(?::([0-9]+))?([/?#].*)?$/;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const LEGAL = "https://HOST[:PORT] or http://HOST[:PORT], with no path, query or user";
const LINE = "https://aistor-s3-api.aistor:443";

/** The parts of a URL; a text says what is wrong with it. */
export function split(url: string): Server | string {
  if (url.trim() === "") return "is set but empty";
  if (!/^https?:\/\//.test(url)) return "has no scheme http:// or https://";
  const found = PARTS.exec(url);
  if (found === null || /[\s\u0000-\u001f\\]/.test(url)) return "names no host that can be reached";
  const [, scheme, userinfo, netloc = "", portText, rest = ""] = found;
  const port = portText === undefined ? (scheme === "https" ? 443 : 80) : Number(portText);
  const host = netloc.replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "" || port === 0 || port > 65535) return "names no host that can be reached";
  const fault = faultOfHost(host, netloc.startsWith("["));
  if (fault !== undefined) return fault;
  const [user, password] = userinfo === undefined ? [] : [userinfo.split(":")[0], userinfo.split(":").slice(1).join(":")];
  return { scheme: scheme as "http" | "https", host, port, user, password, rest };
}

/** A checked endpoint, `scheme://host[:port]`. Throws ConfigurationError. */
export function checkedEndpoint(endpoint: string, variable: string): string {
  const parts = split(endpoint);
  let fault = typeof parts === "string" ? parts : undefined;
  if (typeof parts !== "string") {
    if (parts.user !== undefined) fault = "holds a user or password";
    else if (parts.rest.replace(/\/+$/, "") !== "") fault = "has a path, query or fragment";
  }
  if (fault !== undefined) {
    const value = endpoint.includes("@") ? "" : ` ${JSON.stringify(endpoint)}`;
    throw new ConfigurationError(
      `${variable}${value} ${fault}; legal: ${LEGAL}, or not set at all for AWS: export ${variable}=${LINE}`,
    );
  }
  return endpoint.replace(/\/+$/, "").toLowerCase();
}

/** The endpoint that the environment names, unchecked. Throws ConfigurationError if two variables differ. */
export function endpointOf(env: Environment): string | undefined {
  const given = new Map<string, string>();
  for (const name of SPELLINGS) {
    const value = env[name];
    if (value !== undefined) given.set(name, name === "MINIO_ENDPOINT" ? minioUrl(value, env) : value);
  }
  const [first] = given.values();
  if (new Set([...given.values()].map(canonical)).size > 1) {
    const names = [...given.keys()];
    throw new ConfigurationError(
      `${names.join(" and ")} name different servers; legal: one of them, or the same value in each: ` +
        `unset ${names.slice(1).join(" ")}`,
    );
  }
  return first;
}

function canonical(url: string): string {
  const parts = split(url);
  return typeof parts === "string" ? url : `${parts.scheme}://${parts.host}:${parts.port}${parts.rest.replace(/\/+$/, "")}`;
}

function minioUrl(value: string, env: Environment): string {
  if (value.includes("://") || value.trim() === "") return value;
  const tls = (env["MINIO_USE_SSL"] ?? "").trim().toLowerCase();
  if (!["true", "1", "false", "0", ""].includes(tls)) {
    throw new ConfigurationError(
      `MINIO_USE_SSL ${JSON.stringify(tls)} is neither true nor false; legal: true, false: export MINIO_USE_SSL=true`,
    );
  }
  const port = (env["MINIO_PORT"] ?? "").trim();
  const host = value.split(":").length > 2 && !value.includes("[") ? `[${value}]` : value;
  const own = /:([0-9]+)$/.exec(host.slice(host.lastIndexOf("]") + 1))?.[1];
  if (port !== "" && own !== undefined && port !== own) {
    throw new ConfigurationError(
      `MINIO_ENDPOINT ${JSON.stringify(value)} and MINIO_PORT ${JSON.stringify(port)} name different ports; legal: one of ` +
        "them, or the same port in both: unset MINIO_PORT",
    );
  }
  return `${["true", "1"].includes(tls) ? "https" : "http"}://${host}${port !== "" && own === undefined ? `:${port}` : ""}`;
}

function faultOfHost(host: string, inBrackets: boolean): string | undefined {
  if (inBrackets) return isIP(host) === 6 ? undefined : "names no host that can be reached";
  if (isIP(host) === 4) return undefined;
  if (/[^\u0000-\u007f]/.test(host)) return "has a host that is not ASCII";
  if (host.includes("_")) return "has a host with '_', which no host name may have: give the server an alias without it";
  if (host.endsWith(".")) return "has a host that ends in a dot";
  const labels = host.split(".");
  if (host.length > 253 || !labels.every((label) => LABEL.test(label))) {
    return "names no host that can be reached: a name has parts of 1 to 63 letters, digits and '-'";
  }
  return /^([0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")
    ? "has an address that is not in its full form of four numbers"
    : undefined;
}
