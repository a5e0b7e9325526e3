import { ByteSize } from "@mcp-lifeline/core/options"
import { resolve } from "node:path"
import * as Command from "../commandLine/Command.js"
import type * as Audit from "./Audit.js"

/** In bytes: from several of the longest lines up. */
const sizes = { least: 1_000_000, most: 1_000_000_000_000 }

export const options = {
  audit: Command.text(
    "FILE",
    "Record each call of a tool, prompt or resource in this file, as a line of JSON that is there before the caller has the answer."
  ),
  auditArguments: Command.flag(
    "Also record the arguments of calls as they are, with the secrets in them. Default: only a hash."
  ),
  auditSize: Command.value(
    "SIZE",
    'With --audit: begin a new file when this one has so many bytes, such as "50 MB"; from 1 MB to 1000 GB. Default: 100 MB.',
    (text, refuse) => {
      const bytes = ByteSize.toBytes(text)
      return bytes === undefined || bytes < sizes.least || bytes > sizes.most
        ? refuse('must be a size from 1 MB to 1000 GB, such as "50 MB"')
        : bytes
    }
  ),
  auditFiles: Command.integer(
    "NUMBER",
    "With --audit: how many full files are kept, as FILE.1 and so on; with 0, a full file is removed. Default: 10.",
    [0, 10_000]
  ),
  auditFull: Command.choice(
    { stop: "stop", "go-on": "go-on" } as const,
    "With --audit: what to do when the file cannot be written, as on a full disk: refuse calls, or go on without their lines. Default: stop."
  )
}

type Values = Command.Values<typeof options>

export const read = (
  { audit, auditArguments, auditFiles = 10, auditFull = "stop", auditSize = ByteSize.Bytes(100_000_000) }: Values,
  { has, refuse }: Command.Line
): Audit.Options | undefined => {
  if (audit === undefined) {
    const other = Object.keys(options).map(Command.nameOf).find(has)
    return other === undefined ? undefined : refuse(`${other} needs --audit FILE`)
  }
  return { file: resolve(audit), size: auditSize, files: auditFiles, full: auditFull, withArguments: auditArguments }
}
