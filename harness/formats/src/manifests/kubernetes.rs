//! Kubernetes manifests: a Job whose one Pod is the lab. The containers of a Pod share its network, so that the two planes are
//! loopback addresses of that network, and who is where needs no cluster to say it.

use std::fmt::Write as _;

use super::{Container, File, Lab, SHARED, USER, block, flow, quoted};

/// The manifests of a lab, in one file. Addresses are expected to be loopback addresses.
pub fn kubernetes(lab: &Lab) -> Vec<File> {
    vec![File { name: "lab.yaml", text: manifests(lab) }]
}

fn manifests(lab: &Lab) -> String {
    let name = quoted(&format!("coexist-{}", lab.name));
    let mut text = format!(
        "# The lab `{}`, each server a container of the released image, in one Pod. The Job ends as the run ends:\n\
         #\n\
         #   kubectl apply -f lab.yaml\n\
         #   kubectl logs --follow job/coexist-{} --container runner\n\
         #\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  layout.json: |\n{}",
        lab.name,
        lab.name,
        block(&lab.layout, 4)
    );
    if let Some(topology) = &lab.topology {
        let _ = write!(text, "  topology.toml: |\n{}", block(topology, 4));
    }
    let _ = write!(
        text,
        "---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\nspec:\n  backoffLimit: 0\n  template:\n    \
         spec:\n      restartPolicy: Never\n      dnsPolicy: None\n      dnsConfig:\n        nameservers: [{}]\n      \
         automountServiceAccountToken: false\n      securityContext:\n        runAsNonRoot: true\n        \
         runAsUser: {USER}\n        runAsGroup: {USER}\n        fsGroup: {USER}\n        sysctls:\n        \
         - name: net.ipv4.ip_unprivileged_port_start\n          value: \"0\"\n      volumes:\n      - name: run\n        \
         emptyDir: {{ medium: Memory }}\n      - name: lab\n        configMap: {{ name: {name} }}\n      containers:\n",
        quoted(&lab.runner.inside.to_string()),
    );
    let mut files = vec!["layout.json"];
    files.extend(lab.topology.as_ref().map(|_| "topology.toml"));
    container(&mut text, &lab.image, &lab.runner, &files);
    for server in &lab.servers {
        container(&mut text, &lab.image, server, &[]);
    }
    text
}

/// A container; the runner sees these files of the lab beside what all share, and its input is held open.
fn container(text: &mut String, image: &str, container: &Container, files: &[&str]) {
    let _ = write!(
        text,
        "      - name: {}\n        image: {}\n        imagePullPolicy: IfNotPresent\n        args: {}\n        env:\n        \
         - name: TMPDIR\n          value: {SHARED}\n        securityContext:\n          \
         allowPrivilegeEscalation: false\n          readOnlyRootFilesystem: true\n          \
         capabilities: {{ drop: [ALL] }}\n        volumeMounts:\n        - name: run\n          mountPath: {SHARED}\n",
        quoted(&container.name),
        quoted(image),
        flow(&container.command)
    );
    for file in files {
        let _ = write!(
            text,
            "        - name: lab\n          mountPath: {SHARED}/{file}\n          subPath: {file}\n          readOnly: true\n"
        );
    }
    if !files.is_empty() {
        text.push_str(
            "        # Held open: the runner ends when nobody holds it any more.\n        stdin: true\n",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::tests::lab;

    #[test]
    fn a_lab_is_what_its_runner_reads_and_a_job_of_one_pod() {
        let files = kubernetes(&lab());
        assert_eq!(files.len(), 1);
        let (map, job) = files[0].text.split_once("---\n").unwrap();
        assert!(map.ends_with(
            "data:\n  layout.json: |\n    {\"own\":{\"inside\":\"198.18.8.2\"}}\n  topology.toml: |\n    \
             role = \"front-end-2010\"\n\n    [sites]\n"
        ));
        assert!(job.contains("nameservers: [\"198.18.8.2\"]"));
        let (_, containers) = job.split_once("      containers:\n").unwrap();
        assert_eq!(containers.matches("      - name: \"").count(), 3);
        assert!(containers.starts_with(
            r#"      - name: "runner"
        image: "coexist"
        imagePullPolicy: IfNotPresent
        args: ["e2e", "--topology", "small"]
        env:
        - name: TMPDIR
          value: /coexist-run
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: { drop: [ALL] }
        volumeMounts:
        - name: run
          mountPath: /coexist-run
        - name: lab
          mountPath: /coexist-run/layout.json
          subPath: layout.json
          readOnly: true
        - name: lab
          mountPath: /coexist-run/topology.toml
          subPath: topology.toml
          readOnly: true
        # Held open: the runner ends when nobody holds it any more.
        stdin: true
"#
        ));
    }
}
