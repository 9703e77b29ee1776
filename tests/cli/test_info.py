"""The verb `info`."""

import json
import os
import unittest

import command


class InfoTest(command.CommandTest):
    def test_tells_of_the_machine(self):
        text = self.succeed("info")
        for word in ("fingerprint", "caches", "threads", "by default", "scalar", "none at out/profile.json"):
            self.assertIn(word, text)

    def test_json_agrees_with_the_machine(self):
        answer = json.loads(self.succeed("info", "--json"))
        self.assertEqual(answer["schema"], "sluice-info")
        self.assertLessEqual(answer["machine"]["available_threads"], len(os.sched_getaffinity(0)))
        self.assertRegex(answer["machine"]["fingerprint"], "^[0-9a-f]{16}$")
        self.assertEqual([isa["name"] for isa in answer["isas"] if isa["runnable"]], answer["machine"]["isas"])
        self.assertEqual(answer["profile"]["state"], "none")
        self.assertEqual(answer["plans"], [])

    def test_affinity_limits_the_threads(self):
        first = min(os.sched_getaffinity(0))
        answer = json.loads(self.succeed("info", "--json", preexec_fn=lambda: os.sched_setaffinity(0, {first})))
        self.assertEqual(answer["machine"]["available_threads"], 1)
        self.assertEqual(answer["machine"]["fingerprint"], self.this_machine()["fingerprint"])

    def test_the_quota_of_a_group_and_of_its_ancestor_limits_the_threads(self):
        outer = self.control_group("cpu", {"cpu.max": "100000 100000"},
                                   {"cpu.cfs_period_us": 100000, "cpu.cfs_quota_us": 100000})
        for group in (outer / "inner", outer):
            if not (group / "cgroup.procs").exists():
                continue
            answer = json.loads(self.succeed("info", "--json", preexec_fn=lambda own=group: (
                own / "cgroup.procs").write_text(str(os.getpid()))))["machine"]
            self.assertEqual((answer["available_threads"], answer["cgroup_quota"]), (1, 1.0), group)

    def test_cores_of_a_hybrid_are_chosen_by_class(self):
        """A file says that the first CPU is a fast core and the second a slow one; the binding is real."""
        cpus = sorted(os.sched_getaffinity(0))[:2]
        if len(cpus) < 2 or cpus[-1] > 31:
            self.skipTest("needs two CPUs")
        both = sum(1 << cpu for cpu in cpus)
        attributes = 'cpuset="{0:#x}" complete_cpuset="{0:#x}" nodeset="0x1" complete_nodeset="0x1"'.format
        cores = "".join(f'<object type="Core" os_index="{i}" {attributes(1 << cpu)} gp_index="{10 + i}">\n'
                        f'<object type="PU" os_index="{cpu}" {attributes(1 << cpu)} gp_index="{20 + i}"/>\n</object>\n'
                        for i, cpu in enumerate(cpus))
        # hwloc's own parser, which is used when it was built without libxml2, expects these lines as hwloc writes them.
        self.write("hybrid.xml", '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE topology SYSTEM "hwloc2.dtd">\n'
                   f'<topology version="2.0">\n<object type="Machine" os_index="0" {attributes(both)} '
                   f'allowed_cpuset="{both:#x}" allowed_nodeset="0x1" gp_index="1">\n'
                   f'<object type="NUMANode" os_index="0" {attributes(both)} gp_index="2"/>\n{cores}</object>\n'
                   f'<cpukind cpuset="{1 << cpus[0]:#x}" forced_efficiency="1"/>\n'
                   f'<cpukind cpuset="{1 << cpus[1]:#x}" forced_efficiency="0"/>\n</topology>\n')
        environment = {"SLUICE_TOPOLOGY": str(self.directory / "hybrid.xml")}

        def machine(*arguments):
            return json.loads(self.succeed("info", "--json", *arguments, environment=environment,
                                           preexec_fn=lambda: os.sched_setaffinity(0, set(cpus))))["machine"]
        fast, slow, mixed = machine(), machine("--cores", "efficiency"), machine("--cores", "all")
        self.assertEqual([(one["name"], one["cores"], one["cpus"]) for one in fast["core_classes"]],
                         [("performance", 1, cpus[:1]), ("efficiency", 1, cpus[1:])])
        self.assertEqual([m["core_class"] for m in (fast, slow, mixed)], ["performance", "efficiency", "all"])
        self.assertEqual([m["available_threads"] for m in (fast, slow, mixed)], [1, 1, 2])
        self.assertEqual(len({m["fingerprint"] for m in (fast, slow, mixed)}), 3)
        self.expect_failure(command.UNSUPPORTED, "info", "--cores", "middle", says=["--cores middle", "performance or"],
                            environment=environment)
        self.expect_failure(command.FILE, "info", says=["none.xml"], environment={"SLUICE_TOPOLOGY": "none.xml"})

    def test_exact_profile(self):
        self.write("out/profile.json", command.profile(self.this_machine(), [command.plan_row()]))
        selectors = ["--d-model", 96, "--d-ff", 160, "--kind", "swiglu", "--m", 9, "--threads", 1, "--isa", "scalar"]
        answer = json.loads(self.succeed("info", "--json", *selectors))
        self.assertEqual(answer["profile"]["state"], "exact")
        self.assertEqual(len(answer["plans"]), 1)
        self.assertEqual(answer["plans"][0]["origin"], "exact")
        self.assertEqual(answer["plans"][0]["plan"], command.plan_row()["plan"])
        self.assertIn("exact: tuned for swiglu M 16", self.succeed("info", *selectors))

    def test_profile_of_another_machine_is_borrowed(self):
        machine = self.this_machine()
        machine["caches"]["l2"] = 4096
        machine["fingerprint"] = "0123456789abcdef"
        self.write("other.json", command.profile(machine, [command.plan_row()]))
        answer = json.loads(self.succeed("info", "--json", "--profile", "other.json"))
        self.assertEqual(answer["profile"]["state"], "borrowed")
        self.assertEqual(len(answer["profile"]["differences"]), 1)
        self.assertIn("l2 (4096", answer["profile"]["differences"][0])
        self.assertIn("another machine", self.succeed("info", "--profile", "other.json"))
        selectors = ["--d-model", 96, "--d-ff", 160, "--kind", "swiglu", "--m", 9, "--threads", 1, "--isa", "scalar"]
        plan = json.loads(self.succeed("info", "--json", "--profile", "other.json", *selectors))["plans"][0]
        self.assertEqual(plan["origin"], "borrowed")
        self.assertEqual(plan["borrowing"]["expected_cost"], "unknown")
        self.assertTrue(plan["borrowing"]["other_machine"])
        self.assertIn("expected cost: unknown", self.succeed("info", "--profile", "other.json", *selectors))

    def test_borrowed_from_another_bucket(self):
        rows = [command.plan_row(m=64), command.plan_row(m=64, max_threads=2), command.plan_row(max_threads=2)]
        self.write("out/profile.json", command.profile(self.this_machine(), rows))
        selectors = ["--d-model", 96, "--d-ff", 160, "--kind", "swiglu", "--m", 16, "--threads", 1, "--isa", "scalar"]
        borrowing = json.loads(self.succeed("info", "--json", *selectors))["plans"][0]["borrowing"]
        self.assertEqual(borrowing["steps"], ["M 64 for 16"])
        # At two threads the same step led to the same plan.
        self.assertEqual([like["from"]["max_threads"] for like in borrowing["like_steps"]], [2])
        self.assertEqual(borrowing["expected_cost"], "none")

    def test_says_which_plans_no_packing_can_use(self):
        isa = "avx512"  # has two widths
        if isa not in self.this_machine()["isas"]:
            self.skipTest(f"{isa} does not run here")
        rows = [command.plan_row(isa=isa, m=m, plan={**command.plan_row()["plan"], "nr": nr, "nc": nr, "fc": nr})
                for m, nr in ((1, 64), (64, 32))]
        self.write("p.json", command.profile(self.this_machine(), rows))
        text = self.succeed("info", "--profile", "p.json", "--d-model", 96, "--d-ff", 160, "--kind", "swiglu",
                            "--m", 1, "--threads", 1, "--isa", isa)
        self.assertIn(f"1 plan for {isa} gated 96x160 not used", text)
        # The plan for M = 64 does not serve one row either; only its width is used.
        self.assertIn("analytical: ", text)
        self.assertRegex(text, r"\d+x32 kc")

    def test_writes_a_file(self):
        self.assertEqual(self.succeed("info", "--json", "--out", "new/info.json"), "")
        self.assertEqual(set(self.files()), {"new", "new/info.json"})
        self.assertEqual(json.loads((self.directory / "new/info.json").read_text())["schema"], "sluice-info")

    def test_refuses_bad_selectors(self):
        self.expect_bad_selectors_refused("info")

    def test_refuses_bad_profiles(self):
        self.expect_bad_profiles_refused("info")

    def test_refuses_a_damaged_default_profile(self):
        self.write("out/profile.json", "{")
        self.expect_failure(command.FILE, "info", says=["out/profile.json"])

    def test_unwritable_output(self):
        self.write("plain", "text")
        self.expect_failure(command.FILE, "info", "--out", "plain/info.txt", says=["plain/info.txt"])
        self.expect_failure(command.FILE, "info", "--out", "/dev/full", says=["/dev/full"])
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.expect_failure(command.FILE, "info", says=["standard output"], stdout=full)


if __name__ == "__main__":
    unittest.main()
