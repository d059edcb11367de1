# Collects what `coexist import` reads: run it in the Exchange Management Shell of the newest version that there is, as a
# member of View-Only Organization Management, then import the folder. It changes nothing, and reads no mailbox.
#
#   .\collect.ps1 -Folder exports -ExternalDns 8.8.8.8
#   coexist import exports -o customer.toml --anonymise
#
# The cmdlets are described at https://learn.microsoft.com/powershell/module/exchange/. One that this version does not have,
# or that fails, is named and left out: the import says what follows from that.
param(
    [string] $Folder = 'exports',
    # A DNS server of the internet, to learn what names lead to outside (Windows Server 2012 and later have Resolve-DnsName).
    # Without it they are asked inside alone.
    [string] $ExternalDns = ''
)

$FormatEnumerationLimit = -1
New-Item -ItemType Directory -Force -Path $Folder | Out-Null

function Export([string] $Cmdlet, [hashtable] $Arguments = @{}) {
    if (-not (Get-Command $Cmdlet -ErrorAction SilentlyContinue)) {
        Write-Warning "$Cmdlet is not in this version: left out"
        return
    }
    try {
        $objects = @(& $Cmdlet @Arguments -ErrorAction Stop)
        $objects | Export-Clixml -Encoding UTF8 -Path (Join-Path $Folder "$Cmdlet.xml")
        Write-Host ("{0,5}  {1}" -f $objects.Count, $Cmdlet)
    }
    catch { Write-Warning "${Cmdlet}: $_" }
}

# Virtual directories are asked of each server's IIS, which takes its time: -ADPropertiesOnly is fast, and leaves out how users sign in.
foreach ($noun in 'ExchangeServer', 'ClientAccessServer', 'ClientAccessArray', 'OfflineAddressBook', 'AcceptedDomain', 'OutlookAnywhere',
    'OwaMailboxPolicy', 'OwaVirtualDirectory', 'EcpVirtualDirectory', 'ActiveSyncVirtualDirectory', 'WebServicesVirtualDirectory',
    'OabVirtualDirectory', 'AutodiscoverVirtualDirectory', 'MapiVirtualDirectory') {
    Export "Get-$noun"
}
# Databases of older versions are left out unless they are asked for, and where each is mounted is asked of its server.
$known = (Get-Command Get-MailboxDatabase).Parameters
$asked = @{ Status = $true }
foreach ($older in 'IncludePreExchange2013', 'IncludePreExchange2010') {
    if ($known -and $known.ContainsKey($older) -and $asked.Count -eq 1) { $asked[$older] = $true }
}
Export 'Get-MailboxDatabase' $asked

# Settings of the mail services are each server's own, and whether they run is in no directory.
$servers = @(Get-ExchangeServer | Where-Object { "$($_.ServerRole)" -match 'ClientAccess|Mailbox' })
foreach ($cmdlet in 'Get-ImapSettings', 'Get-PopSettings') {
    $servers | Where-Object { "$($_.ServerRole)" -match 'ClientAccess' } |
        ForEach-Object { & $cmdlet -Server $_.Name -ErrorAction SilentlyContinue } |
        Export-Clixml -Encoding UTF8 -Path (Join-Path $Folder "$cmdlet.xml")
}
$servers | ForEach-Object { Get-Service -ComputerName $_.Fqdn -Name 'MSExchangeIMAP4*', 'MSExchangePOP3*' -ErrorAction SilentlyContinue } |
    Select-Object Name, Status, MachineName | Export-Csv -NoTypeInformation -Encoding UTF8 -Path (Join-Path $Folder 'Get-Service.csv')

# What the names lead to: servers by their addresses. An address that is no server's is taken for a load balancer's.
function Resolve([string] $Name, [string] $View) {
    $found = @()
    if ($View -eq 'Internal') { try { $found = [System.Net.Dns]::GetHostAddresses($Name) } catch { } }
    else { $found = @(Resolve-DnsName -Name $Name -Type A -Server $ExternalDns -DnsOnly -ErrorAction SilentlyContinue).IPAddress }
    New-Object PSObject -Property @{ Name = $Name; View = $View; Address = (@($found | Where-Object { $_ }) -join ' ') }
}
$text = Get-ChildItem (Join-Path $Folder '*.xml') | Get-Content | Out-String
$hosts = [regex]::Matches($text, 'https?://([A-Za-z0-9.-]+)') | ForEach-Object { $_.Groups[1].Value }
$hosts += [regex]::Matches($text, 'Hostname[^>]*>(?:\s*<[^>]*>)*\s*([A-Za-z0-9-]+\.[A-Za-z0-9.-]+)<') | ForEach-Object { $_.Groups[1].Value }
$hosts += $servers | ForEach-Object { "$($_.Fqdn)" }
$hosts += Get-ClientAccessArray -ErrorAction SilentlyContinue | ForEach-Object { "$($_.Fqdn)" }
$hosts += Get-AcceptedDomain -ErrorAction SilentlyContinue | ForEach-Object { "autodiscover.$($_.DomainName)" }
$names = $hosts | Where-Object { $_ -and $_ -notmatch 'schemas\.microsoft\.com|^autodiscover\.\*' } | ForEach-Object { $_.ToLower() } | Sort-Object -Unique
$views = @('Internal')
if ($ExternalDns) { $views += 'External' }
# The type's line is how the import knows the table.
$table = $names | ForEach-Object { foreach ($view in $views) { Resolve $_ $view } } | Select-Object Name, View, Address | ConvertTo-Csv -NoTypeInformation
@('#TYPE CoexistName') + $table | Out-File -Encoding UTF8 -FilePath (Join-Path $Folder 'Names.csv')
Write-Host "next: coexist import $Folder -o customer.toml"
