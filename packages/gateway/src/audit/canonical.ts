import { ExactJson, JsonValue } from "@mcp-lifeline/core/text"
import { createHash } from "node:crypto"

/** One form of equal values, with numbers as they came: 1.0 is not 1, and of two long ones that JavaScript takes for one, each is itself. */
export const canonical = (value: unknown): string => JsonValue.canonical(value, ExactJson.sourceOf)

export const hashOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`

export const digest = (value: unknown): string => hashOf(canonical(value))
