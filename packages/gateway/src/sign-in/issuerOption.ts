/** The flag of `login` and `wrap` that messages of a sign-in name. */
export const issuerOption = "--client-issuer"
