/**
 * Hashes of JSON values: equal for equal values. Pure.
 */
import { canonical as canonicalOf, ExactJson } from "@mcp-lifeline/core/internal"
import { createHash } from "node:crypto"

/** A JSON value in one form only, with its numbers as they came: 1.0 is not 1, and of two long ones that JavaScript takes for one, each is itself. */
export const canonical = (value: unknown): string => canonicalOf(value, ExactJson.sourceOf)

/** The hash of a text in canonical form. */
export const hashOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`

/** The SHA-256 of a JSON value in that form. */
export const digest = (value: unknown): string => hashOf(canonical(value))
