/** Makes a call. Its cost is listed under the name; calls that only prepare others have an empty one. */
export type Measure = <T>(name: string, method: string, path: string, token?: string, body?: object) => Promise<T>
