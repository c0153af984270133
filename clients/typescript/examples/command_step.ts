/** A step that calls the `object-store` command: for archives and exports, which TypeScript does not have. */

import { execFile } from "node:child_process";

/** What a command printed with `--json`; status 1 says that it did its work and found a problem. */
export interface Outcome {
  readonly status: 0 | 1;
  readonly report: unknown;
}

/** Run a command. Throws where it could not do its work (status 2), so that Inngest runs the step again. */
export function objectStore(program: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args, "--json"], { maxBuffer: 1024 * 1024 }, (fault, stdout, stderr) => {
      const status = fault === null ? 0 : fault.code;
      if (status === 0 || status === 1) resolve({ status, report: JSON.parse(stdout) as unknown });
      else reject(new Error(`${program} ${args[0] ?? ""} could not do its work: ${stderr.trim().slice(-500)}`));
    });
  });
}
