/** Many servers have a single transport, which keeps the session of the first client. */
const words =
  /\balready (?:been )?initiali[sz]ed\b|\balready (?:connected|attached) to (?:a|another) (?:transport|client)\b|\bonly (?:one|a single) (?:client|session)\b/i

const advice = "it serves one client, and has the session of an earlier one: end that client, or restart the server"

/** Follows the refusal's own words; undefined if it is another one. */
export const adviceOn = (refusal: string): string | undefined => words.test(refusal) ? advice : undefined
