/**
 * Hashes of JSON values: equal for equal values. Pure.
 */
import { canonical } from "@mcp-lifeline/core/internal"
import { createHash } from "node:crypto"

export { canonical }

/** The hash of a text in canonical form. */
export const hashOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`

/** The SHA-256 of a JSON value in that form. */
export const digest = (value: unknown): string => hashOf(canonical(value))
