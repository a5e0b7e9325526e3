import { isAddress, isDocument } from "@mcp-lifeline/sign-in/addresses"
import * as Command from "../commandLine/Command.js"

/** For messages of a sign-in. */
export const issuerOption = "--client-issuer"

/** The options that `login` and `wrap` share. */
export const client = {
  account: Command.text("NAME", "Keeps several logins at one server separate."),
  clientCredentials: Command.flag("Log in without a person, with --client-id and its secret or private key."),
  clientId: Command.text("ID", "A client that you have registered beforehand."),
  clientIssuer: Command.value(
    "URL",
    "The authorization server at which it is registered, and the only one to log in at. Needed with a secret or a key.",
    (text, refuse) => isAddress(text) ? text : refuse("must be an address that begins with https://")
  ),
  clientKeyFile: Command.text(
    "FILE",
    "A private key instead of the secret, in PEM (PKCS #8) or as a JWK. Lifeline reads it from the file when needed."
  ),
  clientKeyAlgorithm: Command.text("NAME", "The algorithm of the key, for example RS256. Default: ES256."),
  clientMetadataUrl: Command.value(
    "URL",
    "The address of a client id metadata document: https, with a path.",
    (text, refuse) => isDocument(text) ? text : refuse("must be an address that begins with https:// and has a path")
  ),
  scope: Command.text("SCOPES", "The scopes to ask for, separated by spaces. Default: those that the server names."),
  callbackPort: Command.integer(
    "NUMBER",
    "The port to which the browser returns. Default: a fixed port for each server.",
    [1, 65_535]
  )
}
