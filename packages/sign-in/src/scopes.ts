/**
 * Which rights are asked for: pure.
 */

/** The scopes of a text, each once. */
export const split = (scope: string | undefined): ReadonlyArray<string> => [
  ...new Set((scope ?? "").split(/\s+/).filter((one) => one !== ""))
]

/** Everything that is in one of the texts; undefined for nothing. */
export const union = (...scopes: ReadonlyArray<string | undefined>): string | undefined => {
  const all = split(scopes.join(" "))
  return all.length === 0 ? undefined : all.join(" ")
}

/** Whether everything in the second is in the first. */
export const covers = (have: string | undefined, want: string | undefined): boolean => {
  const all = new Set(split(have))
  return split(want).every((one) => all.has(one))
}

/**
 * What a login asks for: what the user has configured, otherwise what the server's refusal names, otherwise what its metadata lists,
 * otherwise nothing, so that the authorization server decides; for a step-up, what was asked for before as well. `offline_access` is
 * added where the authorization server knows it, since only then some give tokens that can be renewed.
 */
export const wanted = (from: {
  readonly configured: string | undefined
  readonly challenge: string | undefined
  readonly resource: ReadonlyArray<string> | undefined
  readonly server: ReadonlyArray<string> | undefined
  /** What was asked for before, where more rights are wanted. */
  readonly before: string | undefined
}): string | undefined => {
  const first = union(from.configured) ?? union(from.challenge) ?? union(from.resource?.join(" "))
  // What a refusal names is needed, whatever is configured.
  const scope = from.before === undefined ? first : union(from.before, first, from.challenge)
  return scope !== undefined && from.server?.includes("offline_access") === true
    ? union(scope, "offline_access")
    : scope
}
