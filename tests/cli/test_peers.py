"""`sluice bench --peers` with peers that are made up here: the entries of the results, failures, interruption."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

import command

FAKE = pathlib.Path(__file__).parent.parent / "bench" / "peer_runner" / "fake_peer.py"
CELL = ["--d-model", "24", "--d-ff", "40", "--m", "2", "--threads", "1", "--kind", "swiglu", "--no-profile"]


class PeersTest(command.CommandTest):
    def peers(self, *modes):
        folder = self.directory / "peers"
        folder.mkdir()
        for mode in modes:
            shutil.copy(FAKE, folder / mode)
            (folder / mode).chmod(0o755)
        return {"SLUICE_PEERS_PATH": str(folder)}

    def bench_types(self, types, *modes):
        """The results, {(type, peer or None): entry}, and what was said beside them."""
        result = self.bench(self.peers(*modes), "--peers", "--json", "--hot", "--weights", types)
        results = json.loads(result.stdout)
        return {(entry["weights"], entry.get("peer")): entry for entry in results["benchmarks"]}, result.stderr

    def bench(self, environment, *arguments):
        result = self.run_sluice("bench", *CELL, "--samples", "2", *arguments, environment=environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_a_peer_has_an_entry_beside_ours(self):
        results = json.loads(self.bench(self.peers("right"), "--peers", "--json").stdout)
        own, peer = results["benchmarks"]
        self.assertEqual(peer["name"], own["name"] + "/peer:right")
        self.assertEqual((peer["peer"], peer["peer_version"], peer["peer_variant"]), ("right", "1.0", "the only one"))
        self.assertEqual(peer["real_time"], 5e4)
        self.assertEqual({key: own[key] for key in ("kind", "d_model", "d_ff", "m", "threads", "isa")},
                         {key: peer[key] for key in ("kind", "d_model", "d_ff", "m", "threads", "isa")})
        self.assertNotIn("peer", own)
        self.assertNotIn("plan", peer)
        self.assertIn("best_peer", own)
        self.assertEqual(results["context"]["peers"], ["right"])

    def test_a_failing_peer_does_not_fail_the_run(self):
        result = self.bench(self.peers("crashing", "right", "wrong"), "--peers", "--json")
        entries = {entry.get("peer"): entry for entry in json.loads(result.stdout)["benchmarks"]}
        self.assertIn("signal", entries["crashing"]["error"])
        self.assertIn("wrong", entries["wrong"]["error"])
        for name in ("crashing", "wrong"):
            self.assertNotIn("real_time", entries[name])
            self.assertIn(f"warning: {name} at ffn/swiglu/", result.stderr)
        self.assertNotIn("error", entries["right"])
        self.assertNotIn("error", entries[None])

    def test_each_type_of_weights_has_its_own_comparison(self):
        types = ("f32", "bf16", "f16", "int8:32", "int8:128", "int4:32", "mxfp4")
        entries, _ = self.bench_types(",".join(types), "right", "wrong")
        for weights in types:
            own, right, wrong = (entries[weights, peer] for peer in (None, "right", "wrong"))
            self.assertEqual(own["best_peer"]["peer"], "right")
            self.assertEqual(right["peer_arithmetic"], "f32")
            self.assertLessEqual(right["peer_error"], right["peer_tolerance"])
            self.assertIn("its result is wrong", wrong["error"])
            self.assertNotIn("real_time", wrong)

    def test_forms_say_what_they_round(self):
        entries, said = self.bench_types("int4:32", "choosy", "lying", "quantising")
        self.assertEqual(entries["int4:32", "quantising"]["peer_arithmetic"], "x int8:32")
        self.assertIn("its result is", entries["int4:32", "lying"]["error"])
        choosy = entries["int4:32", "choosy"]
        self.assertEqual(choosy["peer_variant"], "right")
        self.assertEqual([out["form"] for out in choosy["peer_left_out"]], ["quick", "refused"])
        self.assertRegex(said, "warning: choosy at ffn/swiglu/[^:]*/int4:32: without the form quick: its result is wrong")

    def test_a_peer_without_a_form_for_a_type(self):
        entries, said = self.bench_types("f32,int8:32", "plain")
        self.assertNotIn("error", entries["f32", "plain"])
        self.assertEqual(entries["int8:32", "plain"]["error"], "it has no form for int8:32 weights")
        self.assertIsNone(entries["int8:32", None]["best_peer"])
        self.assertIn("no form for int8:32 weights", said)

    def test_the_table_has_a_mean_for_each_type(self):
        table = self.bench(self.peers("right"), "--peers", "--hot", "--weights", "f32,int8:32", "--m", "1,2").stdout
        for words in ("geometric mean of 2 cells with f32 weights:", "geometric mean of 2 cells with int8:32 weights:"):
            self.assertIn(words, table)

    def test_peers_are_chosen_by_name(self):
        environment = self.peers("right", "wrong")
        table = self.bench(environment, "--peers=right").stdout
        self.assertIn("right 1.0", table)
        self.assertNotIn("wrong", table)
        self.assertNotIn("right", self.bench(environment).stdout)
        both = json.loads(self.bench(environment, "--peers=right,wrong", "--json").stdout)
        self.assertEqual(both["context"]["peers"], ["right", "wrong"])
        self.expect_failure(command.USAGE, "bench", *CELL, "--peers=rigth",
                            says=["--peers rigth", "did you mean right"],
                            environment=environment)

    def test_none_is_here(self):
        self.expect_failure(command.USAGE, "bench", *CELL, "--peers", says=["--peers", "scripts/peers.sh"],
                            environment={"SLUICE_PEERS_PATH": str(self.directory)})

    def test_interruption_leaves_no_process(self):
        environment = {**os.environ, **self.peers("hanging")}
        process = subprocess.Popen([os.path.abspath(command.SLUICE), "bench", *CELL, "--peers", "--json"],
                                   cwd=self.directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=command.heed_signals)
        program = str(self.directory / "peers" / "hanging")
        deadline = time.monotonic() + 60
        while not self.running(program) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertTrue(self.running(program))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.running(program), [])

    @staticmethod
    def running(program):
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if program.encode() in path.read_bytes().split(b"\0"):
                    found.append(path.parent.name)
            except OSError:
                pass  # it ended meanwhile
        return found


if __name__ == "__main__":
    unittest.main()
