/** The entry of `@postern/client`. */
export type { Change, ChangeReason } from './changes.ts'
export type { Administration } from './administration.ts'
export { type Client, createClient } from './client.ts'
export type {
  FactorKind,
  FactorProof,
  PasskeyChallenge,
  SecondFactorRequired,
  SignInOutcome,
  SignedIn,
} from './entrance.ts'
export type { NewPasskey, StepUp, StepUpOptions, StepUpProof } from './factors.ts'
export type { ClientOptions } from './options.ts'
export type { ClientStorage } from './platform.ts'
export { type ErrorCode, type FieldError, PosternError } from './problem.ts'
export type { StepUpChallenge, StepUpHook } from './step-up.ts'
export type {
  Acceptance,
  Activity,
  AdministeredUser,
  Answer,
  AuditEvent,
  Body,
  CallOptions,
  Enrolled,
  FactorList,
  OutboxEmail,
  Passkey,
  Permission,
  Query,
  RecoveryCodes,
  Role,
  Session,
  TotpSetup,
  User,
} from './types.ts'
export { type PasskeySupport, passkeySupport } from './webauthn.ts'
