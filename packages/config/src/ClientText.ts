/**
 * Texts of a configuration that refer to the client for which a server runs: `${client.name}`, `${client.subject}` and `${client.claim.NAME}`.
 * They are known only when a client comes, so they are replaced when its server starts.
 */
import { Redacted } from "effect"

/** What of a client is meant. */
export type Reference =
  | { readonly _tag: "Name" }
  | { readonly _tag: "Subject" }
  | {
    readonly _tag: "Claim"
    /** The name of the claim as it stands in the token. A dot in it is part of the name. */
    readonly claim: string
  }

/** A text that refers to a client. What stands between the references may be secret. */
export interface ClientText {
  readonly _tag: "ClientText"
  readonly parts: ReadonlyArray<Redacted.Redacted | Reference>
}

const prefix = "client."
const claimPrefix = "claim."

/** How long the name of a claim may be. */
const maxClaim = 200

/** Whether what stands in `${..}` refers to a client. */
export const isReference = (inside: string): boolean => inside.startsWith(prefix)

/** Whether a text refers to a client. */
export const mentions = (text: unknown): text is string => typeof text === "string" && text.includes("${client.")

const known = "${client.name}, ${client.subject} or ${client.claim.NAME}"

/** What is meant by what stands in `${..}`, or what is wrong with it. */
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

/** Why a reference to a client cannot stand where it stands. */
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

/** How a reference is written. */
export const show = (reference: Reference): string =>
  reference._tag === "Claim" ? `\${client.claim.${reference.claim}}` : `\${client.${reference._tag.toLowerCase()}}`

/** The first reference of a text, as it is written. */
export const firstOf = ({ parts }: ClientText): string => {
  const [first] = parts.flatMap((part) => Redacted.isRedacted(part) ? [] : [part])
  return first === undefined ? "" : show(first)
}
