/** Inserted by the build (build/settings.ts). */
declare const SETTINGS: import('./build/settings.ts').Settings
declare module '*.css'
declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  const SwaggerUI: (options: Record<string, unknown>) => unknown
  export default SwaggerUI
}
/** Of Vite: the modules that match, each loaded when it is asked for. */
interface ImportMeta {
  glob: <T>(patterns: string[]) => Record<string, () => Promise<T>>
}
