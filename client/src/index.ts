/** The entry of `@postern/client`. */
export type { Change, ChangeReason } from './changes.ts'
export { type Administration, type Client, createClient } from './client.ts'
export type { ClientOptions } from './options.ts'
export type { ClientStorage } from './platform.ts'
export { type ErrorCode, type FieldError, PosternError } from './problem.ts'
export type {
  Acceptance,
  Activity,
  AdministeredUser,
  Answer,
  AuditEvent,
  Body,
  CallOptions,
  OutboxEmail,
  Permission,
  Query,
  Role,
  Session,
  User,
} from './types.ts'
