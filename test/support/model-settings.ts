/**
 * What the model-based test is to do, from the environment of whoever starts it. The seed is another one every time, so
 * that every run of CI sees something new; a failure prints the seed and the paths that show it again:
 *
 *     MODEL_SEED=1 MODEL_PATH=3:2 MODEL_REPLAY_PATH=AAA: npm run model
 */
const { MODEL_COMMANDS = '3000', MODEL_SEED, MODEL_PATH, MODEL_REPLAY_PATH } = process.env

export const modelSettings = {
  commands: Number(MODEL_COMMANDS),
  seed: MODEL_SEED === undefined ? Date.now() % 2 ** 31 : Number(MODEL_SEED),
  ...(MODEL_PATH !== undefined && { path: MODEL_PATH }),
  ...(MODEL_REPLAY_PATH !== undefined && { replayPath: MODEL_REPLAY_PATH }),
}
