# One server of a lab, or the runner's inner half: the static binary alone. Nothing is pulled.
FROM scratch
LABEL coexist.image="server"
COPY coexist /coexist
ENTRYPOINT ["/coexist"]
