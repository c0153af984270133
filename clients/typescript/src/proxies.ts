/**
 * The proxy of a server, as the environment names it: the rule of the Python adapter (`object_store/proxies.py`).
 *
 * The names in small letters go first. An entry of `NO_PROXY` is a host name (with all names below it), an address, or a
 * range; with `:PORT` it is meant for one port; `*` is every server.
 */

import { BlockList, isIP } from "node:net";

import { split, type Environment } from "./endpoint.js";
import { ConfigurationError } from "./errors.js";

/** A proxy for one server. */
export interface Proxy {
  /** `http://[USER:PASSWORD@]HOST[:PORT]`. */
  readonly url: string;
  /** The same for a message, without user and password, and with the variable that named it. */
  readonly shown: string;
  readonly secrets: readonly string[];
}

/** The proxy for a server's URL; undefined if it is reached directly. Throws ConfigurationError. */
export function proxyOf(endpoint: string, env: Environment): Proxy | undefined {
  const given = (name: string): string => (env[name.toLowerCase()] || env[name] || "").trim();
  const server = split(endpoint);
  if (typeof server === "string") return undefined;
  const variable = [`${server.scheme.toUpperCase()}_PROXY`, "ALL_PROXY"].find((name) => given(name) !== "");
  const entries = given("NO_PROXY").split(/[\s,]+/);
  if (variable === undefined || entries.some((entry) => matches(entry, server.host, server.port))) return undefined;
  return checked(variable, given(variable), server.host);
}

function checked(variable: string, value: string, host: string): Proxy {
  const url = value.includes("://") ? value : `http://${value}`;
  const parts = /^[\x21-\x7e]+$/.test(url) ? split(url) : "holds a character that no URL has";
  let fault = typeof parts === "string" ? parts : undefined;
  if (typeof parts !== "string") {
    if (parts.scheme === "https") fault = "is an https:// proxy, which is not trusted alike everywhere";
    else if (parts.rest.replace(/\/+$/, "") !== "") fault = "has a path, query or fragment";
  }
  if (typeof parts === "string" || fault !== undefined) {
    const named = url.includes("@") ? "" : ` ${JSON.stringify(value)}`;
    throw new ConfigurationError(
      `${variable}${named} cannot be used by the adapter: it ${fault}; legal: http://[USER:PASSWORD@]HOST[:PORT], or not ` +
        `set, or the server's host in NO_PROXY: export NO_PROXY=${host}`,
    );
  }
  const bare = url.replace(/^http:\/\//, "").replace(/^.*@/, "").replace(/\/+$/, "");
  const password = parts.password ?? "";
  return {
    url: url.replace(/\/+$/, ""),
    shown: `http://${bare} of ${variable}`,
    secrets: [...new Set([password, decoded(password)])].filter((one) => one !== ""),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function matches(entry: string, host: string, port: number): boolean {
  if (entry === "*") return true;
  const isAddress = entry.split(":").length > 2 && !entry.includes("]");
  const found = isAddress ? null : /^\[?([^[\]]*?)\]?(?::([0-9]+))?$/.exec(entry);
  const name = found === null ? entry : (found[1] ?? "");
  const only = found?.[2];
  if (name === "" || (only !== undefined && Number(only) !== port)) return false;
  if (isIP(host) !== 0) return isWithin(host, name);
  const bare = name.toLowerCase().replace(/^\*+/, "").replace(/^\.+|\.+$/g, "");
  return bare !== "" && (host === bare || host.endsWith(`.${bare}`));
}

function isWithin(host: string, range: string): boolean {
  const [address = "", bits] = range.split("/");
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (isIP(address) === 0 || isIP(address) !== isIP(host)) return false;
  const list = new BlockList();
  try {
    list.addSubnet(address, bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits), family);
  } catch {
    return false;
  }
  return list.check(host, family);
}
