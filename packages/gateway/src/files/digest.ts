import { Redacted } from "effect"
import { createHash } from "node:crypto"

/** Includes secrets, but does not reveal them. */
export const digest = (value: unknown): string =>
  createHash("sha256").update(
    JSON.stringify(value, function(this: Record<string, unknown>, key, value: unknown) {
      // The original value: `value` is already the text `<redacted>`.
      const own = this[key]
      return Redacted.isRedacted(own) ? Redacted.value(own) : value
    })
  ).digest("base64")
