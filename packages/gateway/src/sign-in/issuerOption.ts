/** Of `login` and `wrap`, for messages of a sign-in. */
export const issuerOption = "--client-issuer"
