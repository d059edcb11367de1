//! A Compose file: two networks without a way out, the two planes, and a service for each server.

use std::fmt::Write as _;

use super::{Container, File, Lab, SHARED, USER, flow, quoted};

/// The files of a lab for Docker's own tool: the Compose file and what its containers mount.
pub fn compose(lab: &Lab) -> Vec<File> {
    let resolver = format!("nameserver {}\noptions timeout:1 attempts:2\n", lab.runner.inside);
    let file = |name, text| File { name, text, private: false };
    let mut files = vec![
        file("compose.yaml", services(lab)),
        file("layout.json", lab.layout.clone()),
        // The engine's own resolver would answer first, and know names that the lab does not.
        file("resolv.conf", resolver),
    ];
    files.extend(lab.topology.clone().map(|text| file("topology.toml", text)));
    files
}

fn services(lab: &Lab) -> String {
    let mut text = format!(
        "# The lab `{name}`, each server a container of the released image. From this folder:\n\
         #\n\
         #   docker compose up --abort-on-container-exit --exit-code-from runner\n\
         #   docker compose down --volumes\n\
         #\n\
         # COEXIST_IMAGE names another image than `{image}`. Where the engine says that {inside} or {outside} overlaps\n\
         # with another network of its own, `export --subnet CIDR` takes others.\n\
         x-server: &server\n\
         {indent}image: {chosen}\n\
         {indent}read_only: true\n\
         {indent}cap_drop: [ALL]\n\
         {indent}security_opt: [\"no-new-privileges:true\"]\n\
         {indent}sysctls: {{ net.ipv4.ip_unprivileged_port_start: \"0\" }}\n\
         {indent}environment: {{ TMPDIR: {SHARED} }}\n\
         {indent}volumes:\n\
         {indent}  - run:{SHARED}\n\
         {indent}  - ./resolv.conf:/etc/resolv.conf:ro\n\
         \n\
         services:\n",
        name = lab.name,
        image = lab.image,
        inside = lab.inside,
        outside = lab.outside,
        chosen = quoted(&format!("${{COEXIST_IMAGE:-{}}}", lab.image)),
        indent = "  ",
    );
    service(&mut text, &lab.runner);
    // A list of volumes is not added to: it is said whole.
    text.push_str("    volumes:\n");
    let mut mounts = vec![
        format!("run:{SHARED}"),
        "./resolv.conf:/etc/resolv.conf:ro".to_owned(),
        format!("./layout.json:{SHARED}/layout.json:ro"),
    ];
    if lab.topology.is_some() {
        mounts.push(format!("./topology.toml:{SHARED}/topology.toml:ro"));
    }
    for mount in mounts {
        let _ = writeln!(text, "      - {mount}");
    }
    text.push_str("    # Held open: the runner ends when nobody holds it any more.\n    stdin_open: true\n");
    for server in &lab.servers {
        service(&mut text, server);
    }
    let network = |name: &str, subnet: &str| {
        format!("  {name}:\n    internal: true\n    ipam: {{ config: [{{ subnet: {} }}] }}\n", quoted(subnet))
    };
    let _ = write!(
        text,
        "\nnetworks:\n{}{}\nvolumes:\n  run:\n    driver_opts: {{ type: tmpfs, device: tmpfs, \
         o: \"uid={USER},gid={USER},mode=0700\" }}\n",
        network("inside", &lab.inside),
        network("outside", &lab.outside)
    );
    text
}

fn service(text: &mut String, container: &Container) {
    let planes = [("inside", Some(container.inside)), ("outside", container.outside)];
    let planes = planes.into_iter().filter_map(|(plane, address)| {
        Some(format!("      {plane}: {{ ipv4_address: {} }}\n", quoted(&address?.to_string())))
    });
    let _ = write!(
        text,
        "  {}:\n    <<: *server\n    command: {}\n    networks:\n{}",
        container.name,
        flow(&container.command),
        planes.collect::<String>()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::tests::lab;

    #[test]
    fn a_lab_is_two_networks_and_a_service_for_each_server() {
        let files = compose(&lab());
        let names: Vec<_> = files.iter().map(|file| file.name).collect();
        assert_eq!(names, ["compose.yaml", "layout.json", "resolv.conf", "topology.toml"]);
        assert_eq!(files[2].text, "nameserver 198.18.8.2\noptions timeout:1 attempts:2\n");
        let (_, services) = files[0].text.split_once("\nservices:\n").unwrap();
        assert_eq!(
            services,
            r#"  runner:
    <<: *server
    command: ["e2e", "--topology", "small"]
    networks:
      inside: { ipv4_address: "198.18.8.2" }
      outside: { ipv4_address: "198.18.12.2" }
    volumes:
      - run:/coexist-run
      - ./resolv.conf:/etc/resolv.conf:ro
      - ./layout.json:/coexist-run/layout.json:ro
      - ./topology.toml:/coexist-run/topology.toml:ro
    # Held open: the runner ends when nobody holds it any more.
    stdin_open: true
  cas2010-s1:
    <<: *server
    command: ["server", "cas2010-s1", "--door", "/coexist-run/door.sock"]
    networks:
      inside: { ipv4_address: "198.18.9.10" }
      outside: { ipv4_address: "198.18.12.10" }
  mbx2010-s1:
    <<: *server
    command: ["server", "mbx2010-s1", "--door", "/coexist-run/door.sock"]
    networks:
      inside: { ipv4_address: "198.18.9.11" }

networks:
  inside:
    internal: true
    ipam: { config: [{ subnet: "198.18.8.0/22" }] }
  outside:
    internal: true
    ipam: { config: [{ subnet: "198.18.12.0/24" }] }

volumes:
  run:
    driver_opts: { type: tmpfs, device: tmpfs, o: "uid=65532,gid=65532,mode=0700" }
"#
        );
    }
}
