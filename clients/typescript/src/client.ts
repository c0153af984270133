/**
 * The SDK's client for a configuration.
 *
 * The rule: the SDK reads no variable, file or role by itself, trusts only the given CA where there is one, and computes
 * and checks no digest: `store` does that, so that both languages judge alike.
 */

import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";

import { S3Client } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { HttpProxyAgent } from "http-proxy-agent";
import { HttpsProxyAgent } from "https-proxy-agent";

import { awsEndpoint, type StoreConfig } from "./config.js";
import type { Limits } from "./limits.js";

const CONNECT_MILLISECONDS = 2_000;
const STALL_MILLISECONDS = 60_000;
const ATTEMPTS = 4;
const SOCKETS = 16;
const LONGEST_PAUSE_SECONDS = 20;

/** A client for the configuration's server, or for another endpoint of it. */
export function clientOf(config: StoreConfig, endpoint: string | undefined, limits: Limits = {}): S3Client {
  const tls = config.ca === undefined ? {} : { ca: config.ca };
  const pool = { keepAlive: true, maxSockets: SOCKETS };
  const { proxy } = config;
  const stall = limits.stallMilliseconds ?? STALL_MILLISECONDS;
  const client = new S3Client({
    // Given in any case: else the SDK looks for one in variables and files.
    endpoint: endpoint ?? awsEndpoint(config.region),
    forcePathStyle: endpoint !== undefined || config.pathStyle,
    region: config.region,
    credentials: {
      accessKeyId: config.accessKeyId,
      secretAccessKey: config.secretAccessKey,
      ...(config.sessionToken === undefined ? {} : { sessionToken: config.sessionToken }),
    },
    maxAttempts: limits.attempts ?? ATTEMPTS,
    retryMode: "standard",
    defaultsMode: "standard",
    authSchemePreference: ["aws.auth#sigv4"],
    userAgentAppId: () => Promise.resolve(undefined),
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    followRegionRedirects: false,
    disableMultiregionAccessPoints: true,
    useArnRegion: false,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    disableS3ExpressSessionAuth: true,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: limits.connectMilliseconds ?? CONNECT_MILLISECONDS,
      requestTimeout: stall,
      socketTimeout: stall,
      throwOnRequestTimeout: true,
      httpAgent: proxy === undefined ? new HttpAgent(pool) : new HttpProxyAgent(proxy.url, pool),
      httpsAgent:
        proxy === undefined ? new HttpsAgent({ ...pool, ...tls }) : new HttpsProxyAgent(proxy.url, { ...pool, ...tls }),
    }),
  });
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const headers = (result.response as { headers?: Record<string, string> } | undefined)?.headers;
      const pause = Number(headers?.["retry-after"]);
      // The SDK waits as long as it is told, even for a day.
      if (headers !== undefined && !(pause <= LONGEST_PAUSE_SECONDS)) delete headers["retry-after"];
      return result;
    },
    { step: "deserialize", priority: "low", name: "limitRetryAfter" },
  );
  if (process.versions["bun"] !== undefined) {
    client.middlewareStack.add(
      (next) => async (args) => {
        // Bun 1.3 compares the certificate with a given Host, its port included; without it, it sends the same.
        delete (args.request as { headers: Record<string, string> }).headers["host"];
        return next(args);
      },
      { step: "deserialize", priority: "high", name: "leaveHostToBun" },
    );
  }
  return client;
}
