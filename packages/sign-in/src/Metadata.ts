import { Schema } from "effect"

/** May be left out, or null. */
export const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true })
const strings = optional(Schema.Array(Schema.String))

export const Metadata = Schema.Struct({
  issuer: Schema.String,
  authorization_endpoint: optional(Schema.String),
  token_endpoint: Schema.String,
  registration_endpoint: optional(Schema.String),
  revocation_endpoint: optional(Schema.String),
  response_types_supported: strings,
  grant_types_supported: strings,
  code_challenge_methods_supported: strings,
  token_endpoint_auth_methods_supported: strings,
  scopes_supported: strings,
  client_id_metadata_document_supported: optional(Schema.Boolean),
  authorization_response_iss_parameter_supported: optional(Schema.Boolean)
})

export type Metadata = typeof Metadata.Type
