/**
 * Replaces `${client.name}` and the like. A token's claims are not trusted: they may come from whoever registered there.
 */
import { McpConfig } from "@mcp-lifeline/config"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { Either, Redacted } from "effect"

export type Kind = "header" | "variable"

/** Many servers refuse a header with more characters. */
const maxLength = 1000

/** Control characters, of ASCII and of Latin-1, and the line ends of Unicode. */
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

export type Values = Readonly<Record<string, Redacted.Redacted>>

const valueOf = (reference: McpConfig.ClientText.Reference, { claims, name, subject }: Caller): unknown => {
  switch (reference._tag) {
    case "Name":
      return name
    case "Subject":
      return subject === "" ? undefined : subject
    case "Claim":
      return Object.hasOwn(claims, reference.claim) ? claims[reference.claim] : undefined
  }
}

const nameOf = (reference: McpConfig.ClientText.Reference): string =>
  reference._tag === "Claim" ? `the claim ${JSON.stringify(reference.claim)}` : `the ${reference._tag.toLowerCase()}`

/** `undefined` if it can be used. Never quotes the value. */
const unfit = (value: unknown, kind: Kind): string | undefined => {
  if (value === undefined || value === null || value === "") return "is missing"
  if (
    typeof value !== "string" && typeof value !== "boolean" && !(typeof value === "number" && Number.isFinite(value))
  ) {
    return "is neither a text nor a number nor true or false"
  }
  const text = String(value)
  if (text.length > maxLength) return `is longer than ${maxLength} characters`
  if (control.test(text)) return "has control characters or line breaks"
  if (/\p{Surrogate}/u.test(text)) return "is not valid Unicode"
  // Who gets it may trim it to the value of another client.
  if (text.trim() !== text) return "begins or ends with white space"
  return kind === "header" && !/^[\x20-\x7e]*$/.test(text) ? "has characters that a header cannot have" : undefined
}

/** Fails with a line that quotes no value. */
export const of = (texts: McpConfig.FromClient, caller: Caller, kind: Kind): Either.Either<Values, string> => {
  const values: Array<readonly [string, Redacted.Redacted]> = []
  for (const [name, { parts }] of Object.entries(texts)) {
    let text = ""
    for (const part of parts) {
      if (Redacted.isRedacted(part)) {
        text += Redacted.value(part)
        continue
      }
      const value = valueOf(part, caller)
      const problem = unfit(value, kind)
      if (problem !== undefined) {
        return Either.left(
          `this server is started for each client with what is known of it, and ${
            nameOf(part)
          } of this client ${problem}: `
            + `the ${kind} ${name} needs it (${
              McpConfig.ClientText.show(part)
            }). Have it added to the client's token, or use another client`
        )
      }
      text += String(value)
    }
    values.push([name, Redacted.make(text)])
  }
  return Either.right(Object.fromEntries(values))
}

export const sample = (texts: McpConfig.FromClient): Values =>
  Object.fromEntries(
    Object.entries(texts).map(([name, { parts }]) => [
      name,
      Redacted.make(parts.map((part) => Redacted.isRedacted(part) ? Redacted.value(part) : "x").join(""))
    ])
  )
