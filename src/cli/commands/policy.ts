import { checkPolicies, testPolicies } from '../../shared/authorization/policy-folder.ts';
import type { Command } from '../command.ts';

/** `policy check <dir>`: whether a server would take the policies of a folder. */
export const policyCheck: Command = {
  usage: 'policy check <dir>',
  async run([folder], print) {
    if (folder === undefined) {
      return 'usage';
    }
    for (const warning of await checkPolicies(folder)) {
      print(`warning: ${warning}`);
    }
    print(`the policies in ${folder} can be used`);
    return 'done';
  },
};

/** `policy test <dir>`: whether the policies of a folder answer as its tests want. */
export const policyTest: Command = {
  usage: 'policy test <dir>',
  async run([folder], print) {
    if (folder === undefined) {
      return 'usage';
    }
    const { results, untested } = await testPolicies(folder);
    for (const { name, problem } of results) {
      print(problem === undefined ? `ok      ${name}` : `FAILED  ${name}: ${problem}`);
    }
    for (const place of untested) {
      print(`warning: ${place}: no test makes use of this policy`);
    }
    const failed = results.filter(({ problem }) => problem !== undefined).length;
    print(`${results.length - failed} passed, ${failed} failed`);
    return failed === 0 && results.length > 0 ? 'done' : 'failed';
  },
};
