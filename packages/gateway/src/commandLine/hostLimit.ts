import { ByteSize } from "@mcp-lifeline/core/options"
import { Bytes, kibibytes, mebibytes } from "@mcp-lifeline/core/text"
import * as Command from "./Command.js"

/**
 * In bytes. The official SDK ends the connection at more than 10 MiB that it cannot read yet: this message, and what came with its end (at
 * most 64 KiB).
 */
export const usual = Bytes(mebibytes(10) - kibibytes(64))

const sizes = { least: 1_000_000, most: 1_000_000_000 }

export const option = Command.value(
  "SIZE",
  'The longest message that the host reads, such as "50 MB", from 1 MB to 1 GB: a longer answer becomes an error of its request. '
    + "The official SDK ends the connection at more than its own limit. Default: 10 MiB.",
  (text, refuse) => {
    const bytes = ByteSize.toBytes(text)
    return bytes === undefined || bytes < sizes.least || bytes > sizes.most
      ? refuse('must be a size from 1 MB to 1 GB, such as "50 MB"')
      : Bytes(bytes)
  }
)
