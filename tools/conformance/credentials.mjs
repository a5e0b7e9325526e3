/**
 * An OAuth provider of the official SDK's kind for each scenario that wants one; both clients are given the same.
 */
import { ClientCredentialsProvider, PrivateKeyJwtProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js"
import { auth } from "@modelcontextprotocol/sdk/client/auth.js"

/** @typedef {import("@modelcontextprotocol/sdk/client/auth.js").OAuthClientProvider} OAuthClientProvider */
/** @typedef {import("@modelcontextprotocol/sdk/client/auth.js").OAuthDiscoveryState} OAuthDiscoveryState */
/** @typedef {import("@modelcontextprotocol/sdk/shared/auth.js").OAuthTokens} OAuthTokens */
/** @typedef {import("@modelcontextprotocol/sdk/shared/auth.js").OAuthClientInformationMixed} OAuthClientInformationMixed */
/** @typedef {import("@modelcontextprotocol/sdk/shared/auth.js").OAuthClientMetadata} OAuthClientMetadata */

/**
 * Logs in without a browser: the suite's authorization server agrees to everything, and its redirect has the code.
 *
 * @implements {OAuthClientProvider}
 */
export class Login {
  redirectUrl = "http://localhost:3000/callback"
  /** @type {OAuthClientMetadata} */
  clientMetadata = {
    client_name: "conformance",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"]
  }
  #serverUrl
  /** @type {OAuthClientInformationMixed | undefined} */
  #client
  /** @type {OAuthTokens | undefined} */
  #tokens
  #verifier = ""
  /** @type {OAuthDiscoveryState | undefined} */
  #discovery
  /** What the authorization server sent with the redirect. @type {URLSearchParams | undefined} */
  #response
  /** @type {Promise<void> | undefined} */
  #finishing

  /**
   * @param {URL} serverUrl
   * @param {OAuthClientInformationMixed | undefined} client registered beforehand
   */
  constructor(serverUrl, client) {
    this.#serverUrl = serverUrl
    this.#client = client
  }

  clientInformation() {
    return this.#client
  }

  /** @param {OAuthClientInformationMixed} client */
  saveClientInformation(client) {
    this.#client = client
  }

  tokens() {
    return this.#tokens
  }

  /** @param {OAuthTokens} tokens */
  saveTokens(tokens) {
    this.#tokens = tokens
  }

  /** @param {string} verifier */
  saveCodeVerifier(verifier) {
    this.#verifier = verifier
  }

  codeVerifier() {
    return this.#verifier
  }

  /** @param {OAuthDiscoveryState} state */
  saveDiscoveryState(state) {
    this.#discovery = state
  }

  discoveryState() {
    return this.#discovery
  }

  /** @param {URL} address */
  async redirectToAuthorization(address) {
    const answer = await fetch(address, { redirect: "manual" })
    await answer.body?.cancel()
    const location = answer.headers.get("location")
    this.#response = location === null ? undefined : new URL(location).searchParams
  }

  /**
   * Ends the login that is under way. Resolves with whether there was one.
   *
   * @param {(code: string, response: URLSearchParams) => Promise<unknown>} [exchange] gets the tokens for a code; by default as the
   *   SDK's v1 does
   */
  async finish(exchange = (authorizationCode) => auth(this, { serverUrl: this.#serverUrl, authorizationCode })) {
    const response = this.#response
    const code = response?.get("code") ?? undefined
    this.#response = undefined
    if (response !== undefined && code !== undefined) {
      this.#finishing = exchange(code, response).then(() => {
        this.#finishing = undefined
      })
    }
    const finishing = this.#finishing
    await finishing
    return finishing !== undefined
  }
}

/**
 * Access that a company's identity provider grants (SEP-990): its token for the user is exchanged for a grant, and that for a
 * token of the server's own authorization server.
 */
export class CrossApp extends ClientCredentialsProvider {
  #serverUrl
  #context
  /** @type {OAuthDiscoveryState | undefined} */
  #discovery

  /**
   * @param {URL} serverUrl
   * @param {Readonly<Record<string, string>>} context
   */
  constructor(serverUrl, context) {
    super({ clientId: context["client_id"] ?? "", clientSecret: context["client_secret"] ?? "" })
    this.#serverUrl = serverUrl
    this.#context = context
  }

  /** @param {OAuthDiscoveryState} state */
  saveDiscoveryState(state) {
    this.#discovery = state
  }

  /** @override @returns {any} The SDK's base class has no promise here; its interface has. */
  prepareTokenRequest() {
    return this.#exchange()
  }

  async #exchange() {
    const context = this.#context
    const answer = await fetch(context["idp_token_endpoint"] ?? "", {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
        subject_token: context["idp_id_token"] ?? "",
        subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
        client_id: context["idp_client_id"] ?? "",
        audience: this.#discovery?.authorizationServerUrl ?? "",
        resource: this.#discovery?.resourceMetadata?.resource ?? String(this.#serverUrl)
      })
    })
    const { access_token: assertion } = /** @type {{ access_token: string }} */ (await answer.json())
    return new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion })
  }
}

/** A workload that its platform has given a token, which is exchanged for one of the server's authorization server. */
export class Workload extends ClientCredentialsProvider {
  #assertion

  /** @param {Readonly<Record<string, string>>} context */
  constructor(context) {
    super({ clientId: context["client_id"] ?? "", clientSecret: "" })
    this.#assertion = context["valid_jwt"] ?? ""
  }

  /** @override @param {string | undefined} scope */
  prepareTokenRequest(scope) {
    return new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: this.#assertion,
      ...(scope === undefined ? {} : { scope })
    })
  }
}

/**
 * The provider for a scenario.
 *
 * @param {string} scenario
 * @param {Readonly<Record<string, string>>} context
 * @param {URL} serverUrl
 * @returns {Login | ClientCredentialsProvider | PrivateKeyJwtProvider | undefined}
 */
export const provider = (scenario, context, serverUrl) => {
  if (!scenario.startsWith("auth/")) return undefined
  const { client_id: clientId, client_secret: clientSecret, private_key_pem: privateKey } = context
  if (scenario === "auth/client-credentials-jwt") {
    return new PrivateKeyJwtProvider({
      clientId: clientId ?? "",
      privateKey: privateKey ?? "",
      algorithm: context["signing_algorithm"] ?? ""
    })
  }
  if (scenario === "auth/wif-jwt-bearer") return new Workload(context)
  if (scenario === "auth/enterprise-managed-authorization") return new CrossApp(serverUrl, context)
  if (scenario === "auth/client-credentials-basic") {
    return new ClientCredentialsProvider({ clientId: clientId ?? "", clientSecret: clientSecret ?? "" })
  }
  const known = clientId === undefined || clientSecret === undefined
    ? undefined
    : { client_id: clientId, client_secret: clientSecret }
  const login = new Login(serverUrl, known)
  // The suite knows this address and does not fetch it; in other scenarios the client registers itself.
  const clientMetadataUrl = "https://conformance-test.local/client-metadata.json"
  return scenario === "auth/basic-cimd" ? Object.assign(login, { clientMetadataUrl }) : login
}

/**
 * Does something, and again after each login that was asked for, up to `most`.
 *
 * @param {unknown} authProvider
 * @param {(error: unknown) => boolean} isRefused
 * @param {number} most
 * @param {Parameters<Login["finish"]>[0]} [exchange]
 * @returns {<A>(act: () => Promise<A>) => Promise<A>}
 */
export const loggingIn = (authProvider, isRefused, most, exchange) => async (act) => {
  for (let logins = 0;; logins++) {
    try {
      return await act()
    } catch (error) {
      if (!(isRefused(error) && authProvider instanceof Login)) throw error
      if (logins === most || !await authProvider.finish(exchange)) throw error
    }
  }
}
