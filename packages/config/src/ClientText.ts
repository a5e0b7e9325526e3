/**
 * Texts that refer to the client for which a server runs, such as `${client.name}`. Replaced when it starts.
 */
import { Redacted } from "effect"

export type Reference =
  | { readonly _tag: "Name" }
  | { readonly _tag: "Subject" }
  | {
    readonly _tag: "Claim"
    /** As in the token, dots included. */
    readonly claim: string
  }

/** The text between references may be secret. */
export interface ClientText {
  readonly _tag: "ClientText"
  readonly parts: ReadonlyArray<Redacted.Redacted | Reference>
}

const prefix = "client."
const claimPrefix = "claim."

/** In characters. */
const maxClaim = 200

/** `inside`: of `${..}`. */
export const isReference = (inside: string): boolean => inside.startsWith(prefix)

export const mentions = (text: unknown): text is string => typeof text === "string" && text.includes("${client.")

const known = "${client.name}, ${client.subject} or ${client.claim.NAME}"

export const read = (inside: string): { readonly value: Reference } | { readonly problem: string } => {
  const rest = inside.slice(prefix.length)
  if (rest.includes(":-")) {
    return {
      problem: `has \${${inside.slice(0, inside.indexOf(":-"))}} with a default, with which a client could pass for ` +
        "another one; leave the default out"
    }
  }
  if (rest === "name") return { value: { _tag: "Name" } }
  if (rest === "subject") return { value: { _tag: "Subject" } }
  const claim = rest.startsWith(claimPrefix) ? rest.slice(claimPrefix.length) : ""
  return claim === "" || claim.length > maxClaim
    ? { problem: `has \${${inside.slice(0, maxClaim)}}, which is not known; write ${known}` }
    : { value: { _tag: "Claim", claim } }
}

export const notHere = (inside: string): string =>
  `has \${${
    inside.slice(0, maxClaim)
  }}, which is replaced only in the values of headers and env of a server that serve starts for one ` +
  "client; other users of the machine can read command lines"

export const make = (parts: ReadonlyArray<string | Reference>): ClientText => ({
  _tag: "ClientText",
  parts: parts.flatMap((part): ClientText["parts"] =>
    typeof part !== "string" ? [part] : part === "" ? [] : [Redacted.make(part)]
  )
})

export const show = (reference: Reference): string =>
  reference._tag === "Claim" ? `\${client.claim.${reference.claim}}` : `\${client.${reference._tag.toLowerCase()}}`

export const firstOf = ({ parts }: ClientText): string => {
  const [first] = parts.flatMap((part) => Redacted.isRedacted(part) ? [] : [part])
  return first === undefined ? "" : show(first)
}
