//! Kubernetes manifests: each server a Pod of its own, which the scheduler puts on whatever node has room, and a Job that is the
//! runner. Nobody knows an address before a Pod has it, so none is written down: servers find the runner by the name of a Service,
//! and the runner learns from where each reports.

use std::fmt::Write as _;

use super::{File, SHARED, USER, block, flow, quoted};

/// Where the runner's Pod has what it reads of the lab.
pub const READ: &str = "/coexist-lab";
/// What the runner reads of who will report.
pub const ROLL: &str = "roll.json";
/// The topology's file, where it is none of the image's own. It is written down in parts, which are put together before the runner
/// starts.
pub const TOPOLOGY: &str = "topology.toml";
/// Where a Pod whose programs are to ask the lab's resolver keeps the file that names it.
pub const RESOLVER: &str = "resolv.conf";
/// The most of a topology that one ConfigMap is given, in bytes; it takes 1 MiB.
const MOST_PART: usize = 512 * 1024;

/// The longest name of an object whose name is a host's too (RFC 1123).
const LONGEST_NAME: usize = 63;
/// Digits that tell names apart that had to be cut.
const DIGITS: usize = 8;

/// A lab whose servers are to be Pods.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// What its objects are called, and the Service by which the runner is found: `coexist-small`.
    pub name: String,
    /// The released image.
    pub image: String,
    /// The port of the runner's door.
    pub port: u16,
    /// The variable that holds the word that lets in there, and the word.
    pub word: (String, String),
    /// What the runner is told.
    pub runner: Vec<String>,
    /// Every server.
    pub servers: Vec<Pod>,
    /// What the runner reads of who will report, as JSON.
    pub roll: String,
    /// The topology's file, where it is none of the image's own.
    pub topology: Option<String>,
    /// What the image's program is told to put files together: the file, and what it is made of, follow.
    pub copy: Vec<String>,
}

/// A server's Pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// The server.
    pub name: String,
    /// What the image's program is told.
    pub command: Vec<String>,
    /// Whether programs of this Pod are to ask the lab's resolver: then the file that names one is the Pod's own, and the server
    /// may change it.
    pub seat: bool,
}

/// The manifests of a lab, in one file.
pub fn kubernetes(lab: &Cluster) -> Vec<File> {
    let mut text = head(lab);
    text.push_str(&shared(lab));
    text.push_str(&runner(lab));
    lab.servers.iter().for_each(|server| text.push_str(&pod(lab, server)));
    vec![File { name: "lab.yaml", text, private: true }]
}

fn head(lab: &Cluster) -> String {
    format!(
        "# A lab of {count} servers, each a Pod of its own that may be on any node, and a runner. As the run ends, so does the Job:\n\
         #\n\
         #   kubectl create -f lab.yaml\n\
         #   kubectl logs --follow --pod-running-timeout=10m job/{name}\n\
         #   kubectl wait --for=condition=complete --timeout=1m job/{name}    (fails where the run did)\n\
         #   kubectl delete -f lab.yaml    (everything of it)\n\
         #\n\
         # The runner and the servers wait ten minutes for one another. A server ends when the runner has ended, and is not started\n\
         # again: a run that loses one says so. Each Pod needs an address that every other one reaches without its being changed\n\
         # on the way, as Kubernetes has it. The Secret lets in at the runner's door: it was drawn for this file alone.\n",
        count = lab.servers.len(),
        name = lab.name,
    )
}

/// What the Pods share: the word, what the runner reads, its name, and who may speak to whom.
fn shared(lab: &Cluster) -> String {
    let Cluster { name, port, .. } = lab;
    let own = labels(lab, None);
    let mut text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, labels: {own} }}\nstringData: {{ word: {word} }}\n\
         ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, labels: {own} }}\ndata:\n  {ROLL}: |\n{roll}",
        name = quoted(name),
        word = quoted(&lab.word.1),
        roll = block(&lab.roll, 4),
    );
    for (number, part) in parts(lab).enumerate() {
        let name = quoted(&part_of(lab, number));
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, labels: {own} }}\ndata:\n  \
             {TOPOLOGY}.{number}: |\n{}",
            block(part, 4)
        );
    }
    let _ = write!(
        text,
        r#"---
# No address of its own: the name leads to the runner's Pod, which need not be ready to be found.
apiVersion: v1
kind: Service
metadata: {{ name: {name}, labels: {own} }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {runner}
  ports: [{{ name: door, port: {port} }}]
---
# The lab's Pods speak to one another alone, and to the cluster's DNS, by which the runner is found: Pods of any namespace, or the
# cache that a node may have at the address that Kubernetes proposes for it.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{ name: {name}, labels: {own} }}
spec:
  podSelector: {{ matchLabels: {own} }}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{{ podSelector: {{ matchLabels: {own} }} }}]
  egress:
  - to: [{{ podSelector: {{ matchLabels: {own} }} }}]
  - to: [{{ namespaceSelector: {{}} }}, {{ ipBlock: {{ cidr: 169.254.20.10/32 }} }}]
    ports: [{{ protocol: UDP, port: 53 }}, {{ protocol: TCP, port: 53 }}]
"#,
        name = quoted(name),
        runner = labels(lab, Some(("part", "runner"))),
    );
    text
}

/// The topology's text, cut between lines.
fn parts(lab: &Cluster) -> impl Iterator<Item = &str> {
    let mut rest = lab.topology.as_deref().unwrap_or_default();
    std::iter::from_fn(move || {
        let fits = rest.split_inclusive('\n').scan(0, |bytes, line| {
            *bytes += line.len();
            Some(*bytes)
        });
        // A line that fits nowhere is a part of its own.
        let end = fits.take_while(|bytes| *bytes <= MOST_PART).last().or(rest.find('\n').map(|at| at + 1));
        let (part, left) = rest.split_at(end.unwrap_or(rest.len()));
        rest = left;
        (!part.is_empty()).then_some(part)
    })
}

/// The ConfigMap of a part.
fn part_of(lab: &Cluster, number: usize) -> String {
    object(&lab.name, &format!("topology-{number}"))
}

fn runner(lab: &Cluster) -> String {
    let own = labels(lab, Some(("part", "runner")));
    let template = Template { lab, memory: "{ medium: Memory }", needs: "{ cpu: 500m, memory: 128Mi }" };
    let mounts = format!("        - {{ name: lab, mountPath: {READ}, readOnly: true }}\n");
    let count = parts(lab).count();
    let sources: String = std::iter::once(lab.name.clone())
        .chain((0..count).map(|number| part_of(lab, number)))
        .map(|name| format!("          - configMap: {{ name: {} }}\n", quoted(&name)))
        .collect();
    let mut spec =
        format!("{}      - name: lab\n        projected:\n          sources:\n{sources}", template.spec());
    if count > 0 {
        let mut copy = lab.copy.clone();
        copy.push(format!("{SHARED}/{TOPOLOGY}"));
        copy.extend((0..count).map(|number| format!("{READ}/{TOPOLOGY}.{number}")));
        let _ = write!(spec, "      initContainers:\n{}", template.container("topology", &copy, &mounts));
    }
    let _ = write!(spec, "      containers:\n{}", template.container("runner", &lab.runner, &mounts));
    format!(
        "---\napiVersion: batch/v1\nkind: Job\nmetadata: {{ name: {name}, labels: {own} }}\nspec:\n  backoffLimit: 0\n  \
         template:\n    metadata: {{ labels: {own} }}\n    spec:\n{spec}",
        name = quoted(&lab.name),
    )
}

fn pod(lab: &Cluster, server: &Pod) -> String {
    let memory = "{ medium: Memory, sizeLimit: 64Mi }";
    let template = Template { lab, memory, needs: "{ cpu: 10m, memory: 16Mi }" };
    let mut spec = template.spec();
    let mut mounts = String::new();
    if server.seat {
        let mut copy = lab.copy.clone();
        copy.extend([format!("{SHARED}/{RESOLVER}"), format!("/etc/{RESOLVER}")]);
        let _ = write!(spec, "      initContainers:\n{}", template.container("resolver", &copy, ""));
        mounts = format!("        - {{ name: run, mountPath: /etc/{RESOLVER}, subPath: {RESOLVER} }}\n");
    }
    let _ = write!(spec, "      containers:\n{}", template.container("server", &server.command, &mounts));
    // A Job's template is two levels further in than a Pod's own.
    let spec: String =
        spec.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{ name: {name}, labels: {own} }}\nspec:\n{spec}",
        name = quoted(&object(&lab.name, &server.name)),
        own = labels(lab, Some(("server", &server.name))),
    )
}

/// What all Pods have in common, indented as in a Job.
struct Template<'a> {
    lab: &'a Cluster,
    /// What is in memory.
    memory: &'a str,
    /// What the scheduler keeps for it.
    needs: &'a str,
}

impl Template<'_> {
    /// Its specification up to its volumes, of which more may follow.
    fn spec(&self) -> String {
        format!(
            r#"      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 5
      securityContext:
        runAsNonRoot: true
        runAsUser: {USER}
        runAsGroup: {USER}
        fsGroup: {USER}
        seccompProfile: {{ type: RuntimeDefault }}
        sysctls: [{{ name: net.ipv4.ip_unprivileged_port_start, value: "0" }}]
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
        labelSelector: {{ matchLabels: {own} }}
      volumes:
      - name: run
        emptyDir: {memory}
"#,
            own = labels(self.lab, None),
            memory = self.memory,
        )
    }

    fn container(&self, name: &str, command: &[String], mounts: &str) -> String {
        let (variable, _) = &self.lab.word;
        format!(
            r#"      - name: {name}
        image: {image}
        imagePullPolicy: IfNotPresent
        args: {args}
        env:
        - {{ name: TMPDIR, value: {SHARED} }}
        - {{ name: {variable}, valueFrom: {{ secretKeyRef: {{ name: {secret}, key: word }} }} }}
        resources: {{ requests: {needs} }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {{ drop: [ALL] }}
        volumeMounts:
        - {{ name: run, mountPath: {SHARED} }}
{mounts}"#,
            image = quoted(&self.lab.image),
            args = flow(command),
            secret = quoted(&self.lab.name),
            needs = self.needs,
        )
    }
}

/// The labels of all objects of a lab, and one of their own.
fn labels(lab: &Cluster, own: Option<(&str, &str)>) -> String {
    let own = own.map(|(what, value)| format!(", coexist.{what}: {}", quoted(value))).unwrap_or_default();
    format!("{{ coexist.lab: {}{own} }}", quoted(&lab.name))
}

/// The name of a server's Pod. One that is too long is cut, and told from others by a hash of all of it.
fn object(lab: &str, server: &str) -> String {
    let whole = format!("{lab}-{server}");
    if whole.len() <= LONGEST_NAME {
        return whole;
    }
    // FNV-1a.
    let hash = whole.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let kept: String = whole.chars().take(LONGEST_NAME - DIGITS - 1).collect();
    format!("{}-{:0DIGITS$x}", kept.trim_end_matches('-'), hash & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn server(name: &str, seat: bool) -> Pod {
        Pod {
            name: name.to_owned(),
            command: words(&["server", name, "--door", "tcp://coexist-small:8070"]),
            seat,
        }
    }

    fn lab(servers: Vec<Pod>) -> Cluster {
        Cluster {
            name: "coexist-small".to_owned(),
            image: "coexist".to_owned(),
            port: 8070,
            word: ("COEXIST_DOOR_WORD".to_owned(), "0badc0de".to_owned()),
            runner: words(&["e2e", "--topology", "small"]),
            servers,
            roll: "{\"servers\":[\"cas2010-s1\"],\"elsewhere\":false}".to_owned(),
            topology: Some("role = \"front-end-2010\"\n\n[sites]\n".to_owned()),
            copy: words(&["copy"]),
        }
    }

    #[test]
    fn a_lab_is_what_its_pods_share_a_runner_and_a_pod_for_each_server() {
        let files = kubernetes(&lab(vec![server("cas2010-s1", true), server("mbx2010-s1", false)]));
        assert_eq!(files.len(), 1);
        assert!(files[0].private, "it holds the word");
        let documents: Vec<&str> = files[0].text.split("---\n").collect();
        let kinds =
            documents.iter().map(|one| one.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap());
        let kinds: Vec<&str> = kinds.collect();
        assert_eq!(
            kinds,
            ["Secret", "ConfigMap", "ConfigMap", "Service", "NetworkPolicy", "Job", "Pod", "Pod"]
        );
        assert!(documents[0].ends_with("stringData: { word: \"0badc0de\" }\n"));
        assert_eq!(files[0].text.matches("0badc0de").count(), 1, "the Secret alone says the word");
        let roll = "data:\n  roll.json: |\n    {\"servers\":[\"cas2010-s1\"],\"elsewhere\":false}\n";
        assert!(documents[1].ends_with(roll));
        let topology = "data:\n  topology.toml.0: |\n    role = \"front-end-2010\"\n\n    [sites]\n";
        assert!(documents[2].ends_with(topology));
        let selector = r#"selector: { coexist.lab: "coexist-small", coexist.part: "runner" }"#;
        assert!(documents[3].contains(selector) && documents[3].contains("clusterIP: None"));
        let job = documents[5];
        assert!(
            job.contains(r#"metadata: { labels: { coexist.lab: "coexist-small", coexist.part: "runner" } }"#)
        );
        assert!(job.contains(
            "        projected:\n          sources:\n          - configMap: { name: \"coexist-small\" }\n          \
             - configMap: { name: \"coexist-small-topology-0\" }\n      initContainers:\n      - name: topology\n"
        ));
        assert!(
            job.contains(r#"args: ["copy", "/coexist-run/topology.toml", "/coexist-lab/topology.toml.0"]"#)
        );
    }

    #[test]
    fn a_topology_too_large_for_one_object_is_cut_between_lines() {
        let line = format!("# {}\n", "x".repeat(100_000));
        let topology = line.repeat(12);
        let lab = Cluster { topology: Some(topology.clone()), ..lab(vec![]) };
        let parts: Vec<&str> = parts(&lab).collect();
        assert_eq!(parts.iter().map(|part| part.len() / line.len()).collect::<Vec<_>>(), [5, 5, 2]);
        assert_eq!(parts.concat(), topology);
        let none = Cluster { topology: None, ..lab };
        assert_eq!(super::parts(&none).count(), 0);
    }

    #[test]
    fn the_seat_is_a_pod_that_has_its_resolver_in_a_file_of_its_own() {
        let text = kubernetes(&lab(vec![server("cas2010-s1", true)])).remove(0).text;
        let (_, pod) = text.rsplit_once("---\n").unwrap();
        assert_eq!(
            pod,
            r#"apiVersion: v1
kind: Pod
metadata: { name: "coexist-small-cas2010-s1", labels: { coexist.lab: "coexist-small", coexist.server: "cas2010-s1" } }
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 5
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: { type: RuntimeDefault }
    sysctls: [{ name: net.ipv4.ip_unprivileged_port_start, value: "0" }]
  topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: { coexist.lab: "coexist-small" } }
  volumes:
  - name: run
    emptyDir: { medium: Memory, sizeLimit: 64Mi }
  initContainers:
  - name: resolver
    image: "coexist"
    imagePullPolicy: IfNotPresent
    args: ["copy", "/coexist-run/resolv.conf", "/etc/resolv.conf"]
    env:
    - { name: TMPDIR, value: /coexist-run }
    - { name: COEXIST_DOOR_WORD, valueFrom: { secretKeyRef: { name: "coexist-small", key: word } } }
    resources: { requests: { cpu: 10m, memory: 16Mi } }
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL] }
    volumeMounts:
    - { name: run, mountPath: /coexist-run }
  containers:
  - name: server
    image: "coexist"
    imagePullPolicy: IfNotPresent
    args: ["server", "cas2010-s1", "--door", "tcp://coexist-small:8070"]
    env:
    - { name: TMPDIR, value: /coexist-run }
    - { name: COEXIST_DOOR_WORD, valueFrom: { secretKeyRef: { name: "coexist-small", key: word } } }
    resources: { requests: { cpu: 10m, memory: 16Mi } }
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL] }
    volumeMounts:
    - { name: run, mountPath: /coexist-run }
    - { name: run, mountPath: /etc/resolv.conf, subPath: resolv.conf }
"#
        );
    }

    #[test]
    fn a_thousand_servers_are_a_thousand_pods_of_which_no_two_are_called_alike() {
        let long = "a".repeat(50);
        let servers = (0..1000).map(|n| server(&format!("{long}-{n}"), false)).collect();
        let text = kubernetes(&lab(servers)).remove(0).text;
        let names = text.lines().filter_map(|line| line.strip_prefix("metadata: { name: \"")).skip(6);
        let names: BTreeSet<&str> = names.filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(names.len(), 1000);
        for name in names {
            assert!(name.len() <= 63 && !name.ends_with('-'), "{name}");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
        }
        assert_eq!(object("coexist-small", "cas2010-s1"), "coexist-small-cas2010-s1");
    }
}
