import { hostname, userInfo } from 'node:os';

/** Who runs a command: the user of the operating system, and where from. */
export type Actor = { user: string; sudoUser?: string; from: string };

/** @param env where sudo and ssh say whom they act for; both are the word of whoever may run commands here */
export function currentActor(env: NodeJS.ProcessEnv): Actor {
  const { SUDO_USER, SSH_CONNECTION } = env;
  const client = SSH_CONNECTION?.split(' ')[0];
  return {
    user: userName(),
    ...(SUDO_USER && { sudoUser: SUDO_USER }),
    from: client ? `${client} (ssh to ${hostname()})` : hostname(),
  };
}

// In a container the user may have a number and no name.
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
